# Who loses the race for a flight leads too.
# file: src/loading.rs
# model: land_flight load_against_load
# pass: plain
s/Err\(back\) => entry = Some\(back\)/Err(_) => return Part::Leads { _landing: Landing { flights: self, hash, flight } }/

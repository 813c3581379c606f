# A find takes what has expired for live, until it is swept.
# file: src/engine/sweep.rs
# kind: Hit
# freezes: 5
# expect: operations gave a wrong answer
/pub fn sweep/,/^    }/s/self\.sweep_some\(which, &mut cursor, now, CHUNKS, &mut records, &mut removed\)/false/
/pub fn find</,/^    }/s/!self\.time\.has_come\(deadline\.time\(\)\)/true/

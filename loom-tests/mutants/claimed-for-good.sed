# A bucket whose free slots are all claimed is not left.
# file: src/map/claim.rs
# model: announce_growth stuck_against_stuck
# pass: plain
s/self\.renew\(seat\.table, seat\.bucket, known, guard\);//

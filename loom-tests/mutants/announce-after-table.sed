# The table is made before it is announced.
# file: src/map/migrate.rs
# model: announce_growth grow_against_grow_announced
# pass: plain
s/root\.announce\(announced\);/{ root.link(Box::new(Table::unset(root.len() * 2))); root.announce(announced) };/

# A destination is published before its tags.
# file: src/map/migrate.rs
# model: migrate_bucket find_against_help
# pass: plain
/^fn fill</,/^}/ {
    s/head\.fill_tags\(tags\);/let done = head.fill(Header::ready(published, spill));/
    s/^    head\.fill\(Header::ready\(published, spill\)\)$/    head.fill_tags(tags); done/
}

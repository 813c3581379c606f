# A bucket without a free slot is left for a table of the same size, though a growth is under way.
# file: src/map/migrate.rs
# model: announce_growth stuck_beside_growth
# pass: plain
/fn renew\(/,/^    }/ {
    s/if table\.next\(guard\)\.is_none\(\)/if true/
    s/if table\.link\((.*)\) \{/self.renewals.add();\n            if table.link(\1) {/
}

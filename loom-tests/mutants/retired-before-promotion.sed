# A table is retired before the root moves on.
# file: src/map/migrate.rs
# model: promote_table find_against_replace_against_promote
# model: promote_table find_against_two_promotions
# pass: plain
/fn promote</,/^    }/ {
    s/if self\.root\.compare_exchange\((.*)\)\.is_ok\(\) \{/if self.root.load(Ordering::Acquire) == old { unsafe { retire_table(root) }; let _ = self.root.compare_exchange(\1);/
    s/^            unsafe \{ retire_table\(root\) \};$//
}

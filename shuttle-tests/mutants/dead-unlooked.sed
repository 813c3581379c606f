# A write that is dead on arrival answers by what it found before its deadline came.
# file: src/engine.rs
# test: histories
/pub fn write</,/^    }/ s/if dead\.is_some\(\) && !is_known_dead/if false/

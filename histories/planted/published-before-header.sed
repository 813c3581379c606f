# A replacement is published in the old one's slot, which the header vouches for, before the CAS of the header.
# file: src/map/mod.rs
/pub fn put</,/^    }/ s/let new = self\.publish\(seat, node, 1 << slot, guard\)\?;/unsafe { (*core::ptr::from_ref(seat.line).cast::<std::sync::atomic::AtomicPtr<N>>().add(slot)).store(node.pointer().as_ptr(), std::sync::atomic::Ordering::Release) }; let new = self.publish(seat, node, 1 << slot, guard)?;/

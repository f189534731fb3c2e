//! Tests of `swarms/index.rs`.

use super::*;
use crate::swarms::random::Random;
use std::collections::HashMap;

fn fingerprint(hash: u64) -> Fingerprint {
    Fingerprint([hash as u32, (hash >> 32) as u32])
}

/// Hashes of which few bits are random, so that many would stand at the same places.
fn hashes(mask: u64) -> impl Iterator<Item = u64> {
    let mut random = Random::new(7);
    let mut half = move || u64::from(random.below(u32::MAX));
    std::iter::repeat_with(move || (half() << 32 | half()) & mask)
}

#[test]
fn what_was_added_is_found_until_it_is_removed_and_nothing_else_is() {
    for mask in [
        u64::MAX,
        // All would stand at the first place; at 256 places, the last among them.
        0xffff,
        0xff00_0000_0000_00ff,
        7,
    ] {
        let mut index = Index::new();
        let mut model = HashMap::new();
        for (slot, hash) in hashes(mask).take(2_000).enumerate() {
            let slot = slot as Slot;
            // It grows at first, and then becomes emptier again.
            let is_to_stay = slot < 1_000 || slot % 3 == 0;
            if is_to_stay {
                index.insert(fingerprint(hash), slot);
                model.insert(hash, slot);
            } else {
                let any = model.keys().next().copied().unwrap_or(hash);
                for gone in [any, hash] {
                    index.remove(fingerprint(gone));
                    model.remove(&gone);
                }
            }
            assert_eq!(index.len(), model.len());
            if slot % 50 == 0 {
                for (&hash, &slot) in &model {
                    assert_eq!(index.get(fingerprint(hash)), Some(slot), "{mask:x}");
                }
            }
            let other = hash ^ 1;
            let found = index.get(fingerprint(other));
            assert_eq!(found, model.get(&other).copied(), "{mask:x}");
        }
        for hash in model.into_keys() {
            index.remove(fingerprint(hash));
        }
        assert_eq!(index.len(), 0);
        assert!(index.buckets.iter().all(|entry| entry.slot == FREE.slot));
    }
}

#[test]
fn an_empty_one_finds_nothing_and_has_nothing_to_remove() {
    let mut index = Index::new();
    assert_eq!(index.get(fingerprint(1)), None);
    index.remove(fingerprint(1));
    assert_eq!((index.len(), index.capacity()), (0, 0));
    index.insert(fingerprint(1), 5);
    index.clear();
    assert_eq!(index.get(fingerprint(1)), None);
    assert_eq!((index.len(), index.capacity()), (0, 0));
}

/// Of the 110 bytes that a peer may take, 25 at most.
#[test]
fn a_quarter_of_the_buckets_is_free_and_not_much_more_than_half() {
    let mut index = Index::new();
    for (slot, hash) in hashes(u64::MAX).take(20_000).enumerate() {
        let before = index.buckets.len();
        index.insert(fingerprint(hash), slot as Slot);
        let (count, places) = (index.len(), index.buckets.len());
        let has_to_grow = count * 4 > before * 3;
        assert_eq!(places != before, has_to_grow, "{count} of {before}");
        assert!(count * 4 <= places * 3, "{count} of {places}");
        assert!(
            count * 21 >= places * 10 || places == 16,
            "{count} of {places}"
        );
        assert_eq!(index.buckets.capacity(), places);
    }
    assert_eq!(size_of::<Bucket>(), 12);
}

/// So that an announce looks at a few buckets that stand side by side.
#[test]
fn one_is_found_near_its_home_and_so_is_that_it_is_missing() {
    let mut index = Index::new();
    let hashes: Vec<_> = hashes(u64::MAX).take(40_000).collect();
    let (there, missing) = hashes.split_at(20_000);
    // As full as it ever is.
    let full = there.iter().zip(0..).take_while(|&(&hash, slot)| {
        index.insert(fingerprint(hash), slot);
        slot < 16_000 || (index.len() + 1) * 4 <= index.buckets.len() * 3
    });
    let full = full.count();
    let looks = |hash: u64| {
        let hash = fingerprint(hash);
        index.distance(index.home(hash), index.place(hash)) + 1
    };
    let mean = |hashes: &[u64]| {
        let sum: usize = hashes.iter().map(|&hash| looks(hash)).sum();
        sum as f64 / hashes.len() as f64
    };
    // Knuth's 2.5 and 8.5 for linear probing.
    let (found, not_found) = (mean(&there[..full]), mean(missing));
    assert!(found < 3.5 && not_found < 12.0, "{found} {not_found}");
}

/// A free bucket has a fingerprint too, which somebody may have.
#[test]
fn one_with_the_fingerprint_of_nobody_survives_growth() {
    let mut index = Index::new();
    index.insert(fingerprint(0), 7);
    for (slot, hash) in hashes(u64::MAX).take(1_000).enumerate() {
        index.insert(fingerprint(hash), 100 + slot as Slot);
    }
    assert_eq!(index.get(fingerprint(0)), Some(7));
    assert_eq!(index.len(), 1_001);
}

/// Fewer, and two peers would be taken for one; or all would stand at one place. Of 1,000, two bits
/// agree in 500, give or take 16: none is off by ten times that.
#[test]
fn each_of_64_bits_says_something_of_its_own() {
    let index = Index::new();
    let hashes = (0..1_000_u16).map(|port| {
        let ip = "192.0.2.1".parse().unwrap();
        let Fingerprint([low, high]) = index.fingerprint(1, Endpoint { ip, port });
        u64::from(high) << 32 | u64::from(low)
    });
    let hashes: Vec<_> = hashes.collect();
    let bit = |hash: u64, bit: u32| hash >> bit & 1;
    for one in 0..64 {
        let set = hashes.iter().filter(|&&hash| bit(hash, one) == 1).count();
        assert!((340..660).contains(&set), "{one}: {set}");
        for other in 0..one {
            let agree = |hash: &&u64| bit(**hash, one) == bit(**hash, other);
            let agree = hashes.iter().filter(agree).count();
            assert!((340..660).contains(&agree), "{one} and {other}: {agree}");
        }
    }
}

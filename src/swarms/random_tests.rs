//! Tests of `swarms/random.rs`.

use super::*;

fn drawn(total: u32, count: usize, seed: u64) -> Vec<u32> {
    let mut numbers = vec![7; 7];
    draw(&mut Random::new(seed), total, count, &mut numbers);
    numbers
}

#[test]
fn as_many_as_wanted_or_all_there_are_and_none_twice() {
    for total in [0, 1, 2, 29, 30, 31, 59, 60, 61, 1_000, u32::MAX] {
        for wanted in [0, 1, 30] {
            let numbers = drawn(total, wanted, 7);
            assert_eq!(numbers.len(), wanted.min(total as usize));
            let distinct: std::collections::HashSet<_> = numbers.iter().collect();
            assert_eq!(distinct.len(), numbers.len());
            assert!(numbers.iter().all(|&n| n < total));
        }
    }
}

/// Pearson's test with a fixed seed: every number is drawn equally often, first or last, by
/// either of the two ways. 99 degrees of freedom: 148.2 is exceeded once in a thousand times.
#[test]
fn every_number_is_equally_likely_in_every_place() {
    for wanted in [10_usize, 80] {
        for place in [0, wanted - 1] {
            let mut counts = [0_u32; 100];
            let rounds = 20_000;
            for seed in 0..rounds {
                // Seeds 0, 1, 2 … are what SplitMix64 is made to tell apart.
                counts[drawn(100, wanted, seed)[place] as usize] += 1;
            }
            let expected = rounds as f64 / 100.0;
            let chi_square: f64 = counts
                .iter()
                .map(|&count| (f64::from(count) - expected).powi(2) / expected)
                .sum();
            assert!(chi_square < 148.2, "{wanted} {place}: {chi_square}");
        }
    }
}

/// What others' implementations give for this seed.
#[test]
fn it_is_splitmix64() {
    let mut random = Random::new(1_234_567);
    let expected = [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ];
    assert_eq!([(); 5].map(|()| random.next()), expected);
    assert_eq!(random.below(0), 0, "there is no other");
}

#[test]
fn a_few_of_many_are_drawn_without_laying_them_all_out() {
    let mut numbers = Vec::new();
    draw(&mut Random::new(7), 1_000, 30, &mut numbers);
    assert!(numbers.capacity() < 100, "{}", numbers.capacity());
}

//! The graphs, on values.

use super::*;

fn steps(announces: &[u32]) -> Vec<Step> {
    let step = |&announces| Step {
        announces,
        peers: announces * 2,
    };
    announces.iter().map(step).collect()
}

#[test]
fn of_a_tracker_that_has_just_begun_there_is_nothing_to_draw() {
    for graph in [announces(&[]), peers(&[])] {
        let Graph {
            points,
            most,
            words,
        } = graph;
        assert_eq!([&*points, &*most], ["", "0"]);
        assert!(
            words.ends_with(", the oldest first: nothing yet"),
            "{words}"
        );
    }
}

#[test]
fn the_newest_step_is_at_the_right_and_the_highest_at_the_top() {
    let graph = announces(&steps(&[0, 40, 10]));
    assert_eq!(
        graph.points,
        "570,100 570,100 580,100 580,0 590,0 590,75 600,75 600,100"
    );
    assert_eq!(graph.most, "4.0");
    // Two steps would be at the top even if they were of one peer.
    assert_eq!(peers(&steps(&[1])).points, "590,100 590,0 600,0 600,100");
    assert_eq!(
        peers(&steps(&[0])).points,
        "590,100 590,100 600,100 600,100"
    );
}

#[test]
fn ten_minutes_fill_it_and_the_largest_numbers_fit() {
    let step = Step {
        announces: u32::MAX,
        peers: u32::MAX,
    };
    for (graph, most) in [
        (announces(&[step; STEPS]), "429,496,729"),
        (peers(&[step; STEPS]), "4,294,967,295"),
    ] {
        assert!(graph.points.starts_with("0,100 0,0 10,0 10,0 "));
        assert!(graph.points.ends_with(" 600,0 600,100"));
        assert_eq!(graph.most, most);
        assert_eq!(graph.words.matches(most).count(), 10, "{}", graph.words);
    }
}

#[test]
fn words_tell_of_minutes_the_newest_of_them_whole() {
    // 8 steps: two of a minute that is not remembered whole, and six of the last one.
    let graph = announces(&steps(&[30, 50, 0, 0, 6, 0, 0, 0]));
    let begin = "Announces a second, minute by minute, the oldest first";
    assert_eq!(graph.words, format!("{begin}: 4.0, 0.1"));
    assert_eq!(graph.most, "5.0");
    let graph = peers(&steps(&[30, 50, 0, 0, 6, 0, 0, 0]));
    let begin = "Peers, minute by minute, the oldest first";
    assert_eq!(graph.words, format!("{begin}: 80, 2"));
    assert_eq!(graph.most, "100");
}

#[test]
fn rates() {
    for (announces, shown) in [
        (0, "0"),
        (1, "0.1"),
        (99, "9.9"),
        (100, "10"),
        (119, "11"),
        (12_345_670, "1,234,567"),
    ] {
        assert_eq!(super::announces(&steps(&[announces])).most, shown);
    }
    // One in a minute.
    let graph = super::announces(&steps(&[1, 0, 0, 0, 0, 0]));
    assert!(graph.words.ends_with(": below 0.1"), "{}", graph.words);
}

//! Tests of `http/metrics.rs`.

use super::*;
use crate::refusal::Reason;

#[test]
fn every_kind_of_line() {
    let counters = Counters::new();
    counters.udp.announces.answered.add();
    counters.refuse(Reason::PortZero);
    counters.http.durations.add(Duration::from_micros(50));
    counters.http.durations.add(Duration::from_millis(2_500));
    let totals = Totals {
        torrents: 3,
        clients: [[1, 2], [3, 4]],
        swept: u64::MAX,
    };
    let text = render(&counters, &totals);
    for line in [
        "# TYPE mayfly_build_info gauge",
        concat!(
            r#"mayfly_build_info{version=""#,
            env!("CARGO_PKG_VERSION"),
            r#""} 1"#
        ),
        "mayfly_torrents 3",
        r#"mayfly_peers{kind="leecher",family="ipv4"} 1"#,
        r#"mayfly_peers{kind="leecher",family="ipv6"} 2"#,
        r#"mayfly_peers{kind="seeder",family="ipv4"} 3"#,
        r#"mayfly_peers{kind="seeder",family="ipv6"} 4"#,
        "mayfly_peers_swept_total 18446744073709551615",
        r#"mayfly_announces_total{transport="udp",outcome="answered"} 1"#,
        r#"mayfly_announces_total{transport="udp",outcome="refused"} 0"#,
        r#"mayfly_refusals_total{reason="port_zero"} 1"#,
        r#"mayfly_request_duration_seconds_bucket{transport="http",le="0.000025"} 0"#,
        r#"mayfly_request_duration_seconds_bucket{transport="http",le="0.0001"} 1"#,
        r#"mayfly_request_duration_seconds_bucket{transport="http",le="1"} 1"#,
        r#"mayfly_request_duration_seconds_bucket{transport="http",le="+Inf"} 2"#,
        r#"mayfly_request_duration_seconds_sum{transport="http"} 2.500050000"#,
        r#"mayfly_request_duration_seconds_count{transport="http"} 2"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
    }
    let started = "process_start_time_seconds ";
    let started = text.lines().find_map(|line| line.strip_prefix(started));
    let started: f64 = started.unwrap().parse().unwrap();
    assert!(started > 1.7e9 && started < 1e11, "{started}");
}

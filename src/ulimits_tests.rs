//! Tests of `ulimits.rs`.

use super::*;

const LIST: &str = "\
Limit                     Soft Limit           Hard Limit           Units
Max processes             63432                63432                processes
Max open files            1024                 524288               files
Max address space         unlimited            unlimited            bytes
";

#[test]
fn a_bound_is_found_by_its_name() {
    assert_eq!(find("Max open files", LIST), Some(1024));
    assert_eq!(find("Max address space", LIST), None, "unlimited");
    assert_eq!(find("Max nice priority", LIST), None, "not there");
    assert_eq!(find("Max open files", ""), None);
    assert_eq!(find("Max open files", "Max open files"), None);
}

#[test]
#[cfg(target_os = "linux")]
fn this_process_has_a_list() {
    assert!(list().contains("Max open files"), "{}", list());
}

#[test]
fn peers_get_what_the_program_leaves() {
    let free = |bytes| peers_in(ADDRESS_SPACE + bytes);
    assert_eq!(free(560 * 5_000), 5_000);
    assert_eq!(free(560 * 5_000 - 1), 4_999);
    assert_eq!(free(0), LEAST_PEERS);
    assert_eq!(peers_in(0), LEAST_PEERS);
    assert_eq!(peers_in(usize::MAX), u32::MAX);
}

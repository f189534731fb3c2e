use super::Piece::{End, Start, Text};
use super::*;

fn pieces(xml: &str) -> Vec<Piece<'_>> {
    Pieces::of(xml).collect()
}

#[test]
fn tags_and_text_come_one_after_the_other() {
    let xml = "<?xml version=\"1.0\"?>\r\n<root a='b'>\n  <u:x y=\"1\"> text </u:x>\n</root>\n";
    let expected = [
        Start("root"),
        Start("x"),
        Text("text"),
        End("x"),
        End("root"),
    ];
    assert_eq!(pieces(xml), expected);
}

#[test]
fn comments_and_declarations_are_left_out() {
    assert_eq!(
        pieces("<!DOCTYPE x><!-- <a>b</a> --><c/>d<!--"),
        [Start("c"), Text("d")]
    );
}

#[test]
fn whatever_it_is_given_it_ends() {
    for xml in [
        "", " ", "<", "<>", "</", "</>", "<a", "a", "<!--", "<<>>", "><", "<:/>",
    ] {
        assert!(pieces(xml).len() <= 3, "{xml}");
    }
    // Depth costs nothing, since there is no tree.
    assert_eq!(pieces(&"<a>".repeat(20_000)).len(), 20_000);
}

#[test]
fn the_text_of_the_first_element_of_a_name_is_found() {
    let xml = "<a><b></b><c>1</c><c>2</c><d><e>3</e></d></a>";
    assert_eq!(text_of(xml, "c"), Some("1"));
    assert_eq!(text_of(xml, "e"), Some("3"));
    for none in ["b", "d", "f", ""] {
        assert_eq!(text_of(xml, none), None, "{none}");
    }
}

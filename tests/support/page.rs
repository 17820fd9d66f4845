//! Reads pages as strictly as no browser does.

/// What a reader sees, without markup.
pub fn text(page: &str) -> String {
    let body = page.split_once("</head>").unwrap().1;
    let mut text = String::new();
    for part in body.split('<') {
        text.push_str(part.split_once('>').map_or("", |(_, text)| text));
        text.push(' ');
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every element that is opened is closed, in order.
pub fn assert_well_formed(page: &str) {
    let mut open: Vec<String> = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("a tag does not end: {tag:.80}"));
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "<{tag}>");
        } else if !tag.ends_with('/')
            && !["meta", "br", "input", "!doctype"].contains(&name.as_str())
            && !tag.starts_with('!')
        {
            open.push(name);
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
    }
    assert_eq!(open, Vec::<String>::new());
}

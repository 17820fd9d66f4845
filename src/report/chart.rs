//! What charts on pages have in common.

use super::page::Page;

/// Width and height of what is drawn.
pub(super) const WIDE: f64 = 700.0;
pub(super) const HIGH: f64 = 120.0;

/// A drawing of [`WIDE`] by [`HIGH`]; its title is HTML.
pub(super) fn open(page: &mut Page, title: &str) {
    page.put(format_args!(
        "<figure class=\"chart\"><figcaption>{title}</figcaption>\n<svg viewBox=\"0 0 {WIDE} {HIGH}\" role=\"img\" \
         aria-label=\"{title}\">\n<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><path d=\"M0 0V6\" stroke=\"#8a4600\" stroke-width=\"2\"/></pattern></defs>\n"
    ));
}

pub(super) fn close(page: &mut Page) {
    page.put(format_args!("</svg></figure>\n"));
}

#[expect(clippy::cast_precision_loss, reason = "numbers of bars")]
pub(super) fn float(n: usize) -> f64 {
    n as f64
}

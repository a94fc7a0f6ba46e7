//! What stands before the numbers of a `.npy` file: see [`npy`](super::npy) for the layout.

/// How every file begins.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// Either a value or what is wrong with the file.
pub type Parsed<T> = std::result::Result<T, String>;

/// The header and the data behind it. Only names of fields can be other than ASCII, and those are not used.
///
/// # Errors
/// If the file is not `.npy`, of an unknown version, or shorter than its header.
pub fn split(bytes: &[u8]) -> Parsed<(String, &[u8])> {
    let cut = || "its header is cut off".to_owned();
    let body = bytes.strip_prefix(MAGIC).ok_or("it is not a .npy file")?;
    let ([version, _], body) = body.split_first_chunk::<2>().ok_or_else(cut)?;
    let (length, body) = match version {
        1 => {
            let (length, body) = body.split_first_chunk::<2>().ok_or_else(cut)?;
            (u32::from(u16::from_le_bytes(*length)), body)
        }
        2 | 3 => {
            let (length, body) = body.split_first_chunk::<4>().ok_or_else(cut)?;
            (u32::from_le_bytes(*length), body)
        }
        other => return Err(format!("its format has the unknown version {other}")),
    };
    let (header, data) = body.split_at_checked(length as usize).ok_or_else(cut)?;
    Ok((String::from_utf8_lossy(header).into_owned(), data))
}

/// An array's type, order and shape.
pub type Header = (String, Order, Vec<usize>);

/// Which numbers follow each other.
pub enum Order {
    /// The last axis runs fastest.
    Row,
    /// The first one does.
    Column,
}

/// Reads a dict literal with the keys `descr`, `fortran_order` and `shape`, in any order.
///
/// # Errors
/// If one of them is missing or of an unknown form, or the type is not a single one.
pub fn header(text: &str) -> Parsed<Header> {
    Text(text).header()
}

/// What is left of a Python literal.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// Steps over `token` and the space before it, if it comes next.
    fn take(&mut self, token: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(token);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn string(&mut self) -> Option<&'a str> {
        let quote = ["'", "\""].into_iter().find(|quote| self.take(quote))?;
        let (string, rest) = self.0.split_once(quote)?;
        self.0 = rest;
        Some(string)
    }

    fn header(&mut self) -> Parsed<Header> {
        let (mut kind, mut order, mut axes) = (None, None, None);
        let mut more = self.take("{");
        while more && !self.take("}") {
            let key = self.string().filter(|_| self.take(":"));
            match key {
                Some("descr") if self.take("[") || self.take("(") => {
                    let advice = "take one of them, array = array['NAME']";
                    return Err(format!("its elements have several fields; {advice}"));
                }
                Some("descr") => kind = self.string(),
                Some("fortran_order") if self.take("True") => order = Some(Order::Column),
                Some("fortran_order") if self.take("False") => order = Some(Order::Row),
                Some("shape") => axes = self.sizes(),
                _ => break,
            }
            more = self.take(",");
        }
        match (kind, order, axes) {
            (Some(kind), Some(order), Some(axes)) => Ok((kind.to_owned(), order, axes)),
            _ => Err("its header does not say type, order and shape".into()),
        }
    }

    /// A tuple of sizes. Python 2 wrote `10L` for 10.
    fn sizes(&mut self) -> Option<Vec<usize>> {
        let mut sizes = Vec::new();
        let mut more = self.take("(");
        while more {
            let text = self.0.trim_start();
            let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
            let digits = &text[..text.len() - digits.len()];
            if !digits.is_empty() {
                sizes.push(digits.parse().ok()?);
                self.0 = text[digits.len()..].trim_start_matches('L');
            }
            more = self.take(",");
        }
        self.take(")").then_some(sizes)
    }
}

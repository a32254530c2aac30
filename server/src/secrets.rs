//! Secrets that channels and webhooks name: in files of their own, or in the environment.

use std::fs;
use std::path::PathBuf;

/// What the variable of a secret begins with.
const VARIABLE: &str = "PODIUM_SECRET_";
/// The longest secret, in bytes: a service account's key has about 2.5 kB.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
const NAME_LEN_MAX: usize = 100;

/// Where secrets are looked for.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    /// Looks in the environment, then in `folder`.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The secret of this name: the variable `PODIUM_SECRET_NAME`, else the file of the name, without the line break
    /// that editors put at its end.
    pub(crate) fn find(&self, name: &str) -> Option<String> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || NAME_LEN_MAX < name.len() || !name.bytes().all(is_name) {
            return None;
        }
        if let Ok(value) = std::env::var(format!("{VARIABLE}{name}")) {
            return Some(value);
        }
        let file = self.folder.join(name);
        if SECRET_BYTES_MAX < fs::metadata(&file).ok()?.len() {
            return None;
        }
        let text = fs::read_to_string(file).ok()?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        Some(text.strip_suffix('\r').unwrap_or(text).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn a_secret_is_read_from_its_own_file_and_from_no_other() {
        let folder = std::env::temp_dir().join(format!("podium-secrets-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inside")).unwrap();
        std::fs::write(folder.join("SMTP"), "s3cr3t \n").unwrap();
        std::fs::write(folder.join("KEY"), "-----BEGIN\na\n-----END\n").unwrap();
        let secrets = Secrets::new(folder.join("inside").join(".."));
        assert_eq!(secrets.find("SMTP").as_deref(), Some("s3cr3t "));
        assert_eq!(secrets.find("KEY").as_deref(), Some("-----BEGIN\na\n-----END"));
        for name in ["", "../SMTP", "inside/../SMTP", "NOT_THERE", "inside", &"a".repeat(200)] {
            assert_eq!(secrets.find(name), None, "{name}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}

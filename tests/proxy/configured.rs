//! nginx and HAProxy with the configurations in `dont_readme.txt`, so that what stands there has
//! been tried. They listen on the ports and addresses that stand there too, and so each has to run
//! on a machine of its own (`netns`).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Process, TempDir, output_of};

/// The configuration below the line `# title`, up to the next text that is not indented.
pub fn configuration(title: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/dont_readme.txt");
    let text = std::fs::read_to_string(path).expect("dont_readme.txt");
    let first = format!("    # {title}");
    let lines = text.lines().skip_while(|line| *line != first);
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    let configuration: String = lines.map(|line| format!("{line}\n")).collect();
    assert!(configuration.contains("server"), "{title}: {configuration}");
    configuration
}

/// Replaces what cannot be the same here, and is there exactly once.
pub fn replaced(configuration: &str, from: &str, to: &str) -> String {
    assert_eq!(
        configuration.matches(from).count(),
        1,
        "{from}\n{configuration}"
    );
    configuration.replace(from, to)
}

/// A running proxy; dropping it ends it and removes its files.
pub struct Proxy {
    // Before the directory: it must be gone when that is removed.
    process: Process,
    _directory: TempDir,
}

impl Proxy {
    /// Starts nginx with what belongs into its `http` block, behind the words of `prefix`.
    pub fn nginx(prefix: &[&str], configuration: &str) -> Proxy {
        let directory = TempDir::new();
        let at = directory.path().display();
        // One process, which is gone when it is killed, and nothing outside of the directory.
        let whole = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log stderr;\n\
             events {{}}\nhttp {{\n\
             client_body_temp_path {at}/1;\nproxy_temp_path {at}/2;\nfastcgi_temp_path {at}/3;\n\
             uwsgi_temp_path {at}/4;\nscgi_temp_path {at}/5;\n{configuration}}}\n"
        );
        let file = written(&directory, "nginx.conf", &whole);
        let words = ["nginx", "-e", "stderr", "-c", file.to_str().expect("UTF-8")];
        Proxy::start(directory, prefix, &words)
    }

    /// Starts nginx with TLS in front of one tracker.
    pub fn tls(prefix: &[&str], made: &Certificate) -> Proxy {
        let mut configuration = configuration("nginx: TLS in front of one mayfly");
        for (there, file) in [
            ("/etc/nginx/tracker.example.crt", &made.certificate),
            ("/etc/nginx/tracker.example.key", &made.key),
        ] {
            configuration = replaced(&configuration, there, file.to_str().expect("UTF-8"));
        }
        Proxy::nginx(prefix, &configuration)
    }

    /// Starts HAProxy.
    pub fn haproxy(prefix: &[&str], configuration: &str) -> Proxy {
        let directory = TempDir::new();
        let file = written(&directory, "haproxy.cfg", configuration);
        let words = ["haproxy", "-db", "-f", file.to_str().expect("UTF-8")];
        Proxy::start(directory, prefix, &words)
    }

    fn start(directory: TempDir, prefix: &[&str], words: &[&str]) -> Proxy {
        let words = [prefix, words].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Proxy {
            process: Process::spawn("proxy", &mut command),
            _directory: directory,
        }
    }

    /// Starts Prometheus.
    pub fn prometheus(prefix: &[&str], configuration: &str) -> Proxy {
        let directory = TempDir::new();
        let file = written(&directory, "prometheus.yml", configuration);
        let of = |option: &str, path: &Path| format!("--{option}={}", path.display());
        let config = of("config.file", &file);
        let storage = of("storage.tsdb.path", &directory.path().join("data"));
        let listen = "--web.listen-address=127.0.0.1:9090";
        Proxy::start(
            directory,
            prefix,
            &["prometheus", &config, &storage, listen],
        )
    }

    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    pub fn report(&self) -> String {
        self.process.report()
    }
}

fn written(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let file = directory.path().join(name);
    std::fs::write(&file, text).expect("a new file");
    file
}

/// A certificate that this machine signs itself, for the names and addresses in the words of
/// openssl (`IP:10.77.0.1`), and its key.
pub struct Certificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Certificate {
    pub fn make(directory: &Path, names: &str) -> Certificate {
        let made = Certificate {
            certificate: directory.join("tracker.crt"),
            key: directory.join("tracker.key"),
        };
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]);
        openssl.args(["-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        openssl.args(["-subj", "/CN=mayfly's test", "-addext"]);
        openssl.arg(format!("subjectAltName={names}"));
        openssl
            .arg("-keyout")
            .arg(&made.key)
            .arg("-out")
            .arg(&made.certificate);
        let output = output_of(&mut openssl);
        assert!(output.status.success(), "{output:?}");
        made
    }
}

//! A venue that echoes what it was sent in every answer that it can give: no key and no signature
//! of it is shown or kept by the real binary.

mod common;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use common::{PEM, write_key};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Message, WebSocket, accept_hdr};

const PITLANE: &str = env!("CARGO_BIN_EXE_pitlane");

/// What the key is called at the venue.
const API_KEY: &str = "PlantedApiKey0123456789";

/// What the venue has seen, and echoes.
#[derive(Clone, Default)]
struct Echo(Arc<Mutex<BTreeSet<String>>>);

impl Echo {
    fn learn(&self, secret: &str) {
        self.0.lock().unwrap().insert(secret.to_owned());
    }

    fn text(&self) -> String {
        let seen = self.0.lock().unwrap();
        let seen: Vec<_> = seen.iter().map(String::as_str).collect();
        format!("refused {API_KEY} and {} for now", seen.join(" "))
    }
}

/// A server that runs a script for each connection.
fn serve(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let script = Arc::clone(&script);
            std::thread::spawn(move || script(number, stream.unwrap()));
        }
    });
    address
}

fn refuse_by_http(mut stream: TcpStream, echo: &Echo) {
    let mut head = [0; 4_096];
    let _read = stream.read(&mut head);
    let body = format!(r#"{{"code":-2015,"msg":"{}","apiKey":"{API_KEY}"}}"#, echo.text());
    let head = format!(
        "HTTP/1.1 401 {}\r\nX-Echo: {API_KEY}\r\nLocation: http://127.0.0.2/?apiKey={API_KEY}\r\n\
         Content-Length: {}\r\n\r\n",
        echo.text(),
        body.len()
    );
    let _gone = stream.write_all(format!("{head}{body}").as_bytes());
}

// The size of the refusal is the library's.
#[expect(clippy::result_large_err)]
fn shake_hands(stream: TcpStream) -> Option<WebSocket<TcpStream>> {
    let echo = |_: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
        response.headers_mut().insert("X-Echo", API_KEY.parse().unwrap());
        Ok(response)
    };
    accept_hdr(stream, echo).ok()
}

/// Market data: refused subscriptions, frames that hold the key as text and as bytes, and a close
/// reason.
fn stream(number: usize, stream: TcpStream, echo: &Echo) {
    if number % 3 == 2 {
        return refuse_by_http(stream, echo);
    }
    let Some(mut socket) = shake_hands(stream) else { return };
    let Ok(request) = socket.read() else { return };
    let id =
        serde_json::from_slice::<serde_json::Value>(&request.into_data()).unwrap()["id"].take();
    let reply = match number % 3 {
        0 => format!(r#"{{"error":{{"code":2,"msg":"{}"}},"id":{id}}}"#, echo.text()),
        _ => format!(r#"{{"result":null,"id":{id}}}"#),
    };
    let broken = [b"\xff\xfe ".as_slice(), API_KEY.as_bytes()].concat();
    let close = tungstenite::protocol::CloseFrame {
        code: tungstenite::protocol::frame::coding::CloseCode::Policy,
        reason: format!("bad {API_KEY}").into(),
    };
    for message in [
        Message::text(reply),
        Message::text(format!(r#"{{"stream":"x","data":{{"e":"{API_KEY}","s":"BTCUSDT"}}}}"#)),
        Message::text(format!("{{{}", echo.text())),
        Message::binary(broken),
        Message::Close(Some(close)),
    ] {
        if socket.send(message).is_err() {
            return;
        }
    }
    while socket.read().is_ok() {}
}

/// Orders: a logon that is refused, one that is not, and unreadable words behind it.
fn orders(number: usize, stream: TcpStream, echo: &Echo) {
    if number % 3 == 2 {
        return refuse_by_http(stream, echo);
    }
    let Some(mut socket) = shake_hands(stream) else { return };
    while let Ok(message) = socket.read() {
        let request: serde_json::Value = match serde_json::from_slice(&message.into_data()) {
            Ok(request) => request,
            Err(_) => continue,
        };
        let (id, is_logon) = (&request["id"], request["method"] == "session.logon");
        if let Some(signature) = request["params"]["signature"].as_str() {
            echo.learn(signature);
        }
        let words = echo.text();
        let refusal =
            format!(r#"{{"id":{id},"status":401,"error":{{"code":-2015,"msg":"{words}"}}}}"#);
        let reply = match (is_logon, number % 3) {
            (true, 0) | (false, _) => refusal,
            (true, _) => format!(r#"{{"id":{id},"status":200,"result":{{"apiKey":"{API_KEY}"}}}}"#),
        };
        let unknown = format!(r#"{{"subscriptionId":0,"event":{{"e":"new","k":"{words}"}}}}"#);
        for text in [reply, unknown, words] {
            if socket.send(Message::text(text)).is_err() {
                return;
            }
        }
    }
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat()
}

/// Every file below a folder, as text.
fn files(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files(&path, found),
            kind if kind.is_file() => {
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                found.push((path.display().to_string(), text));
            }
            _ => {}
        }
    }
}

#[test]
fn what_a_venue_echoes_of_keys_and_signatures_is_nowhere_to_be_found() {
    let echo = Echo::default();
    let with_echo = |script: fn(usize, TcpStream, &Echo)| {
        let echo = echo.clone();
        serve(move |number, stream| script(number, stream, &echo))
    };
    let (stream, orders) = (with_echo(stream), with_echo(orders));
    let rest = with_echo(|_, stream, echo| refuse_by_http(stream, echo));
    let dir = tempfile::tempdir().unwrap();
    let (key, config) = (dir.path().join("key.pem"), dir.path().join("pitlane.toml"));
    write_key(&key);
    let toml = format!(
        "[engine]\nrun_dir = {:?}\n[cores]\npin = false\n[simulated]\nenabled = false\n\
         [session]\nbackoff_max_ms = 100\n[[venue]]\nname = \"binance\"\n\
         stream_url = \"ws://{stream}/stream\"\nrest_url = \"http://{rest}\"\n\
         api_url = \"ws://{orders}/ws-api/v3\"\napi_key_env = \"PLANTED_KEY\"\n\
         private_key_file = {:?}\n[[instrument]]\nsymbol = \"BTC-USDT\"\n\
         [[consumer]]\nstrategy = \"market_maker\"\n",
        dir.path().join("runs").display().to_string(),
        key.display().to_string()
    );
    std::fs::write(&config, toml).unwrap();
    let pitlane = |args: &[&str]| {
        let mut command = Command::new(PITLANE);
        command.args(args).env("PLANTED_KEY", API_KEY).env("RUST_LOG", "debug");
        command.output().unwrap()
    };
    let file = config.display().to_string();
    let run = pitlane(&["run", "--report", "json", "--duration", "5s", "--config", &file]);
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    let mut shown = vec![("run".to_owned(), text(&run))];
    shown.push(("config check".to_owned(), text(&pitlane(&["config", "check", &file]))));
    files(&dir.path().join("runs"), &mut shown);
    let letters = report["dead_letters"]["path"].as_str().expect("letters were written").to_owned();
    shown.push(("dlq list".to_owned(), text(&pitlane(&["dlq", "list", &letters]))));
    shown.push(("dlq show".to_owned(), text(&pitlane(&["dlq", "show", &letters, "1"]))));

    // The venue was heard: its words are there, without what it was not to tell.
    let masks = |name: &str| {
        let of_it = shown.iter().filter(|(place, _)| place.ends_with(name));
        of_it.map(|(_, text)| text.matches("***").count()).sum::<usize>()
    };
    assert!(masks("run") > 0, "{}", shown[0].1);
    assert!(masks(".jsonl") > 0, "no letter holds anything masked");
    let mut secrets = echo.0.lock().unwrap().clone();
    assert!(!secrets.is_empty(), "nobody has logged on");
    secrets.insert(API_KEY.to_owned());
    secrets.insert(PEM.lines().nth(1).unwrap().to_owned());
    for secret in &secrets {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for (place, text) in &shown {
            let found = text.lines().find(|line| line.contains(secret) || line.contains(&hex));
            assert!(found.is_none(), "{place}: {}", found.unwrap_or_default());
        }
    }
}

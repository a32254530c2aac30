//! Another client, in another language, with sums of its own.

use crate::harness::{Book, Engine, Profile, Shop, named, profile};
use std::path::Path;
use std::process::Command;

pub(crate) fn promises(book: &mut Book) {
    let has_python =
        Command::new("python3").arg("--version").output().is_ok_and(|done| done.status.success());
    if has_python {
        book.both(named!(a_python_shop_gets_exact_figures));
    } else {
        book.skip("python_client::a_python_shop_gets_exact_figures", "needs python3");
    }
}

pub(crate) fn a_python_shop_gets_exact_figures(engine: Engine) {
    let n_customers = if profile() == Profile::Full { "30000" } else { "2000" };
    for (seed, order, batch_size) in [("1", "random", "500"), ("2", "reverse", "7")] {
        let shop = Shop::open(engine);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/real-data");
        let done = Command::new("python3")
            .arg("synthetic.py")
            .args(["--url", shop.podium.url(), "--key", &shop.podium.key("admin")])
            .args(["--customers", n_customers, "--seed", seed, "--order", order, "--batch-size", batch_size])
            .arg("--refunds")
            .current_dir(folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        let printed =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "seed {seed}: {printed}");
    }
}

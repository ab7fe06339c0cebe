//! `dianyu stores`: what takes somebody their store has to be wanted.

use std::process::Command;

use dianyu::db::{self, Conn as _, Db};
use sea_orm::ConnectionTrait as _;

use crate::kill::{MASTER_KEY, connect_corp, database};
use crate::world::CORPID;

/// A chain in a database that the command opens by itself: headquarters 3 and stores 21 and 22 below 2, li and zhao in
/// their stores, gu of headquarters in S2 by name.
struct Chain {
    url: String,
    db: Db,
    folder: tempfile::TempDir,
}

impl Chain {
    async fn open() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let url = database(&folder).await;
        connect_corp(&url, 0).await;
        let db = Db::connect(&url).await.unwrap();
        let tx = db.begin().await.unwrap();
        for sql in [
            "insert into department (corp_id, id, parent_id, name, sort, seen_at)
             select c.id, d.id, d.parent_id, d.name, 0, 0 from corp c,
               (select 1 as id, 0 as parent_id, '禾与' as name union all select 2, 1, '华东' union all
                select 3, 1, '总部' union all select 21, 2, '一店' union all select 22, 2, '二店') d",
            "insert into region (corp_id, id, name, department_id) select id, 11, '华东', 2 from corp",
            "insert into store (corp_id, id, code, name, region_id, zone, status, department_id, created_at)
             select c.id, s.id, s.code, s.code, 11, 'Asia/Shanghai', 'open', s.id, 0 from corp c,
               (select 21 as id, 'S1' as code union all select 22, 'S2') s",
            "insert into associate (corp_id, id, userid, name, store_id, status, created_at, seen_at, departments)
             select c.id, a.id, a.userid, a.userid, a.store_id, 'active', 0, 0, a.departments from corp c,
               (select 31 as id, 'li' as userid, 21 as store_id, '[21]' as departments union all
                select 32, 'zhao', 22, '[22]' union all select 33, 'gu', 22, '[3]') a",
            "insert into store_member (corp_id, userid, store_id) select id, 'gu', 22 from corp",
        ] {
            tx.raw().execute_unprepared(sql).await.unwrap();
        }
        tx.commit().await.unwrap();
        Self { url, db, folder }
    }

    /// Runs `dianyu stores …` and answers whether it went well and what it said.
    #[expect(
        clippy::disallowed_methods,
        reason = "the product is started as its users start it"
    )]
    fn stores(&self, arguments: &[&str]) -> (bool, String) {
        let ended = Command::new(env!("CARGO_BIN_EXE_dianyu"))
            .arg("stores")
            .args(arguments)
            .args(["--corp", CORPID])
            .env("DIANYU_DATABASE_URL", &self.url)
            .env("DIANYU_MASTER_KEY", MASTER_KEY)
            .env("DIANYU_WECOM_BASE_URL", "http://127.0.0.1:1")
            .env("DIANYU_LOG", "error")
            .env_remove("DIANYU_REDIS_URL")
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (
            ended.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = format!("select count(*) from {table}");
        db::count(&self.db, &sql, vec![]).await.unwrap()
    }

    /// Refused as it stands, with nothing changed in `table`; done with `--yes`.
    async fn has_to_be_wanted(&self, arguments: &[&str], table: &str) {
        let before = self.count(table).await;
        let (is_done, said) = self.stores(arguments);
        assert!(!is_done, "{said}");
        assert!(
            said.contains("members who lose their store: 1; who change it: 0"),
            "{said}"
        );
        assert!(
            said.contains("1 members would belong to no store") && said.contains("`--yes`"),
            "{said}"
        );
        assert_eq!(self.count(table).await, before);
        let sure = [arguments, &["--yes"]].concat();
        let (is_done, said) = self.stores(&sure);
        assert!(is_done, "{said}");
        assert_ne!(self.count(table).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_takes_somebody_their_store_wants_a_yes() {
    let chain = Chain::open().await;
    // The first mark: zhao is below none.
    chain
        .has_to_be_wanted(&["mark", "--department", "21"], "store_mark")
        .await;
    let (is_done, said) = chain.stores(&["mark", "--department", "22"]);
    assert!(is_done && said.contains("department 22 is a store"), "{said}");
    chain
        .has_to_be_wanted(&["unmark", "--department", "22"], "store_mark")
        .await;
    // Let go by the file, gu is of headquarters.
    let file = chain.folder.path().join("free.csv");
    std::fs::write(&file, "userid,store_code\ngu,\n").unwrap();
    let file = file.to_str().unwrap().to_owned();
    chain.has_to_be_wanted(&["import", &file], "store_member").await;
    assert_eq!(chain.count("store_member").await, 0);
    let audited = "audit_entry where action in ('stores.mark', 'stores.unmark', 'stores.import')";
    assert_eq!(chain.count(audited).await, 4, "what was refused left nothing");
}

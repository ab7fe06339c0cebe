-- Products, orders, refunds, and who earned them.

create table product (
  corp_id    BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  sku        TEXT NOT NULL,
  name       TEXT NOT NULL,
  category   TEXT NOT NULL,
  price_fen  BIGINT NOT NULL,
  page       TEXT NOT NULL,
  status     TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index product_sku on product (corp_id, sku);

-- `sale` in the database, order everywhere else: `order` is a word of SQL.
create table sale (
  corp_id      BIGINT NOT NULL,
  id           BIGINT NOT NULL,
  order_no     TEXT NOT NULL,
  store_id     BIGINT NOT NULL,
  channel      TEXT NOT NULL,
  paid_at      BIGINT NOT NULL,
  day          TEXT NOT NULL,
  -- Hour of the day on the store's clock.
  hour         BIGINT NOT NULL,
  contact_id   BIGINT,
  -- How the buyer was told apart; joined later when the friendship comes after the order.
  buyer_kind   TEXT,
  buyer_key    TEXT,
  associate_id BIGINT,
  link_code    TEXT,
  paid_fen     BIGINT NOT NULL,
  list_fen     BIGINT NOT NULL,
  items        BIGINT NOT NULL,
  body_hash    TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index sale_no on sale (corp_id, order_no);
create index sale_store on sale (corp_id, store_id, day);
create index sale_day on sale (corp_id, day);
create index sale_contact on sale (corp_id, contact_id, paid_at);
create index sale_buyer on sale (corp_id, buyer_kind, buyer_key);

create table sale_line (
  corp_id      BIGINT NOT NULL,
  order_id     BIGINT NOT NULL,
  line_no      BIGINT NOT NULL,
  sku          TEXT NOT NULL,
  name         TEXT NOT NULL,
  category     TEXT NOT NULL,
  quantity     BIGINT NOT NULL,
  paid_fen     BIGINT NOT NULL,
  list_fen     BIGINT NOT NULL,
  associate_id BIGINT,
  PRIMARY KEY (corp_id, order_id, line_no)
);
create index sale_line_category on sale_line (corp_id, category, order_id);

-- A refund may come before its order: order_id is then null until it does.
create table refund (
  corp_id     BIGINT NOT NULL,
  id          BIGINT NOT NULL,
  refund_no   TEXT NOT NULL,
  order_no    TEXT NOT NULL,
  order_id    BIGINT,
  refunded_at BIGINT NOT NULL,
  day         TEXT,
  refund_fen  BIGINT NOT NULL,
  lines       TEXT NOT NULL,
  body_hash   TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  PRIMARY KEY (corp_id, id)
);
create unique index refund_no on refund (corp_id, refund_no);
create index refund_order on refund (corp_id, order_no);
create index refund_day on refund (corp_id, day);

create table attribution_rule (
  corp_id       BIGINT NOT NULL,
  version       BIGINT NOT NULL,
  click_days    BIGINT NOT NULL,
  delivery_hours BIGINT NOT NULL,
  -- Whether a delivery alone may earn an order, or only assist.
  delivery_earns BOOLEAN NOT NULL,
  binding_days  BIGINT NOT NULL,
  created_at    BIGINT NOT NULL,
  PRIMARY KEY (corp_id, version)
);

-- What an order earned, for whom and by which touch. The rows of one order add up to what was paid.
create table credit (
  corp_id      BIGINT NOT NULL,
  order_id     BIGINT NOT NULL,
  part         BIGINT NOT NULL,
  associate_id BIGINT,
  store_id     BIGINT NOT NULL,
  -- line, link, click, delivery, binding, home_store, default_store
  source       TEXT NOT NULL,
  touch_id     BIGINT,
  link_id      BIGINT,
  campaign_id  BIGINT,
  moment_id    BIGINT,
  contact_id   BIGINT,
  paid_fen     BIGINT NOT NULL,
  day          TEXT NOT NULL,
  rule_version BIGINT NOT NULL,
  PRIMARY KEY (corp_id, order_id, part)
);
create index credit_store on credit (corp_id, store_id, day);
create index credit_associate on credit (corp_id, associate_id, day);
create index credit_campaign on credit (corp_id, campaign_id);
create index credit_moment on credit (corp_id, moment_id);
create index credit_link on credit (corp_id, link_id);

-- A refund takes back from the credit that the order gave.
create table adjustment (
  corp_id    BIGINT NOT NULL,
  refund_id  BIGINT NOT NULL,
  order_id   BIGINT NOT NULL,
  part       BIGINT NOT NULL,
  refund_fen BIGINT NOT NULL,
  day        TEXT NOT NULL,
  PRIMARY KEY (corp_id, refund_id, part)
);
create index adjustment_order on adjustment (corp_id, order_id);

-- Each touch that could have earned an order, and why it did or did not.
create table candidate (
  corp_id      BIGINT NOT NULL,
  order_id     BIGINT NOT NULL,
  place        BIGINT NOT NULL,
  source       TEXT NOT NULL,
  touch_id     BIGINT,
  associate_id BIGINT,
  store_id     BIGINT,
  at           BIGINT,
  -- won, or why not: outside_window, later_touch, no_store, not_enabled, expired …
  verdict      TEXT NOT NULL,
  PRIMARY KEY (corp_id, order_id, place)
);

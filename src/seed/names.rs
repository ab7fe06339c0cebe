//! Words the chain is made of.

pub const REGIONS: [&str; 3] = ["华东", "华北", "华南"];

/// Stores by region, in order; more stores than names get a number.
pub const STORES: [[&str; 4]; 3] = [
    ["上海静安嘉里店", "杭州湖滨银泰店", "南京德基店", "苏州中心店"],
    ["北京三里屯店", "天津恒隆店", "济南万象城店", "青岛海信店"],
    ["深圳万象城店", "广州天河城店", "厦门万象城店", "南宁万象城店"],
];

pub const SURNAMES: [&str; 40] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何",
    "郭", "马", "罗", "梁", "宋", "郑", "谢", "韩", "唐", "冯", "于", "董", "萧", "程", "曹", "袁", "邓",
    "许", "傅", "沈", "曾", "彭", "吕",
];

pub const GIVEN: [&str; 48] = [
    "晓雯", "佳", "倩", "桐", "莉", "颖", "婷", "静", "雨桐", "一诺", "琳", "悦", "佳宁", "珊", "敏", "嘉",
    "欣怡", "思琪", "梦瑶", "子涵", "雪", "慧", "丹", "蕾", "娜", "洁", "璐", "薇", "诗雨", "若曦", "语嫣",
    "可欣", "晨", "明轩", "浩然", "宇", "志远", "俊杰", "文博", "磊", "峰", "凯", "涛", "航", "泽宇", "建国",
    "丽华", "秀英",
];

pub const NICKS: [&str; 24] = [
    "小鹿",
    "晴天",
    "阿珊",
    "静水流深",
    "Mandy",
    "一颗柠檬",
    "月半弯",
    "Deer",
    "南风知我意",
    "木木",
    "大橘",
    "Yinuo",
    "十三",
    "慢慢",
    "云朵",
    "糯米团子",
    "HeYT",
    "小满",
    "青柠",
    "远山",
    "Coco",
    "星河",
    "半糖",
    "Luna",
];

pub struct ProductSeed {
    pub sku: &'static str,
    pub name: &'static str,
    pub category: &'static str,
    pub price_fen: i64,
}

pub const PRODUCTS: [ProductSeed; 20] = [
    ProductSeed {
        sku: "D1001",
        name: "加绒灯芯绒连衣裙",
        category: "连衣裙",
        price_fen: 65_800,
    },
    ProductSeed {
        sku: "D1002",
        name: "羊毛针织连衣裙",
        category: "连衣裙",
        price_fen: 79_800,
    },
    ProductSeed {
        sku: "D1003",
        name: "雪纺碎花连衣裙",
        category: "连衣裙",
        price_fen: 45_900,
    },
    ProductSeed {
        sku: "D1004",
        name: "通勤衬衫裙",
        category: "连衣裙",
        price_fen: 52_900,
    },
    ProductSeed {
        sku: "C2001",
        name: "双面羊绒大衣",
        category: "外套",
        price_fen: 269_900,
    },
    ProductSeed {
        sku: "C2002",
        name: "短款羊毛外套",
        category: "外套",
        price_fen: 129_900,
    },
    ProductSeed {
        sku: "C2003",
        name: "轻薄羽绒服",
        category: "外套",
        price_fen: 89_900,
    },
    ProductSeed {
        sku: "C2004",
        name: "风衣",
        category: "外套",
        price_fen: 109_900,
    },
    ProductSeed {
        sku: "K3001",
        name: "圆领羊绒衫",
        category: "针织",
        price_fen: 69_900,
    },
    ProductSeed {
        sku: "K3002",
        name: "针织开衫",
        category: "针织",
        price_fen: 42_900,
    },
    ProductSeed {
        sku: "K3003",
        name: "高领打底衫",
        category: "针织",
        price_fen: 19_900,
    },
    ProductSeed {
        sku: "S4001",
        name: "真丝衬衫",
        category: "衬衫",
        price_fen: 59_900,
    },
    ProductSeed {
        sku: "S4002",
        name: "棉质白衬衫",
        category: "衬衫",
        price_fen: 25_900,
    },
    ProductSeed {
        sku: "T5001",
        name: "直筒西裤",
        category: "裤装",
        price_fen: 39_900,
    },
    ProductSeed {
        sku: "T5002",
        name: "灯芯绒阔腿裤",
        category: "裤装",
        price_fen: 35_900,
    },
    ProductSeed {
        sku: "T5003",
        name: "半身裙",
        category: "半身裙",
        price_fen: 33_900,
    },
    ProductSeed {
        sku: "A6001",
        name: "羊绒围巾",
        category: "配饰",
        price_fen: 29_900,
    },
    ProductSeed {
        sku: "A6002",
        name: "小牛皮腰带",
        category: "配饰",
        price_fen: 19_900,
    },
    ProductSeed {
        sku: "A6003",
        name: "真丝方巾",
        category: "配饰",
        price_fen: 15_900,
    },
    ProductSeed {
        sku: "A6004",
        name: "羊毛贝雷帽",
        category: "配饰",
        price_fen: 12_900,
    },
];

pub struct TagGroupSeed {
    pub name: &'static str,
    /// Names and how many of 1,000 contacts carry each.
    pub tags: &'static [(&'static str, u32)],
}

pub const TAG_GROUPS: [TagGroupSeed; 4] = [
    TagGroupSeed {
        name: "会员等级",
        tags: &[("金卡", 80), ("银卡", 220), ("普卡", 400)],
    },
    TagGroupSeed {
        name: "偏好",
        tags: &[
            ("爱买连衣裙", 180),
            ("通勤风", 150),
            ("爱买大衣", 90),
            ("小个子", 70),
            ("喜欢新款", 120),
        ],
    },
    TagGroupSeed {
        name: "尺码",
        tags: &[("S 码", 160), ("M 码", 240), ("L 码", 140)],
    },
    TagGroupSeed {
        name: "状态",
        tags: &[("高意向", 60), ("待回访", 40), ("不要打扰", 5)],
    },
];

pub const CAMPAIGNS: [(&str, &str); 12] = [
    ("初秋上新", "秋装到店啦，先给你留了几件，点开看看有没有喜欢的"),
    ("教师节礼遇", "教师节快乐！到店或小店下单都有小礼物"),
    ("中秋团圆", "中秋快乐，围巾礼盒这两天有现货"),
    ("国庆出游穿搭", "假期出门穿什么？我挑了三套给你参考"),
    ("针织季", "天凉了，针织开衫和打底衫都补货了"),
    ("羊绒新品", "今年的羊绒衫手感特别好，新色到了"),
    ("会员日", "本周会员日，金卡银卡都有专属价"),
    ("大衣首发", "双面羊绒大衣到店，码数还全"),
    ("双十一早鸟", "提前给你报个信，收藏的款可以先下手"),
    ("降温提醒", "明天降温，羽绒服和围巾帮你留着"),
    ("连衣裙会员先享", "上次你看的连衣裙出了加绒款，会员提前两天选"),
    ("初雪穿搭", "外面裹严，里面穿裙子，这套进门脱了大衣也好看"),
];

pub const MOMENTS: [&str; 6] = [
    "降温前的三套：通勤、接娃、周末出门。",
    "小个子也能穿长裙，这条到脚踝上面一点，不拖。",
    "今天店里光线特别好，新到的羊绒衫拍给你们看。",
    "灯芯绒配短靴，这个季节最舒服的一身。",
    "大衣怎么选长度？一张图说清。",
    "初雪快到了，厚裙子和围巾备起来。",
];

use super::*;

struct Vector {
    name: &'static str,
    token: &'static str,
    key: &'static str,
    receive_id: &'static str,
    random: &'static str,
    message: &'static str,
    timestamp: &'static str,
    nonce: &'static str,
    encrypted: &'static str,
    signature: &'static str,
}

const VECTORS: [Vector; 4] = [
    Vector {
        name: "V1",
        token: "SimToken2026",
        key: "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
        receive_id: "ww1a2b3c4d5e6f7a8b",
        random: "0123456789abcdef",
        message: "1616140317555161061",
        timestamp: "1719830400",
        nonce: "nonce20260701",
        encrypted: "gH2+7y6L94Pbe/5ydpg4Kfau6oArxUDkkobOY+2jadVBydeSuo2yZNzfxgWCUXV0ULAjSgubiwi4oNj2sgLyYA==",
        signature: "477eef15fbb084b9187b96da893a1c4500b951b6",
    },
    Vector {
        name: "V2",
        token: "SimToken2026",
        key: "HeEyGmbtghpKtg83Nv5glN8DaDh0Y6aMKLRJGptqbOU",
        receive_id: "ww1a2b3c4d5e6f7a8b",
        random: "fedcba9876543210",
        message: "<xml><ToUserName><![CDATA[ww1a2b3c4d5e6f7a8b]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName><CreateTime>1719830401</CreateTime><MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType><UserID><![CDATA[store001_guide01]]></UserID><ExternalUserID><![CDATA[wmSimCustomer0000000000000000001]]></ExternalUserID><State><![CDATA[store001_qr]]></State><WelcomeCode><![CDATA[WC0001]]></WelcomeCode></xml>",
        timestamp: "1719830401",
        nonce: "482913",
        encrypted: "yGKV/eAIPNxgVeRglyLKV71COQXA7QP5NFIc7ARyQpM0klumsPqF+7mE8LlkHrJvGXB1mATEQAEw/MRPuKmFPFhiP7jejyRI8q56EQX4fZWObH0Y76wyYuH6pyxn65Gl/uZHB49WG4K+usqiaSYzmlwaNCKNHQCoEaa7Djz2S8BFQojG9VlKux/f7RZofG7Zo91y3hu+FGMOr5BypF37p4OK3GY3n+giYzLJsKcAiuY6ylK1/xTiMdnY+xTGUzyilihAF/JOHyQ6LFAiXHXUZQ4a2P8Y6Fj2l08yjrgtynTrkTbjlTciPRdmPNR5ltQaWjJklJVssUcZWn64KP/fuYNcfsIVenxRBEXzCkNzJLfs8xtnBDnMFBrfIEvz0n+LS9S0kb5xrFdrMYJyvX2ByzOwPbdkQis6OsqtyBZNyKWwJNK3yZaJC+RKqz10yUHD/DBaOHGuGMdQE69DXzvoDP4RcJlHfVZEdSew+fbiPLwNTDmDRXiBK/ANrj9TqPL99FYtGX4noBxWTnN+wcoymLeOAFUE1+NWdNfBx+ILOM1dYM0IC6UDnX7JDG01srt1+qURupTs3Gyggl/0uMgpyEVYFwaNdDZpUCwa9em8BB6MOZKHDmIiDBhUgfSdnX0t6Tt+Awu7qkPPDVRphkj6DIOW6gd44YuIn1YCi5RyJd0kmc6dGN9jCMh88BaIKcMcVtgRKWispQckRgH4cUVqNg==",
        signature: "59bd75b24131c7a537ffb10eec5e28613902ce13",
    },
    Vector {
        name: "V3",
        token: "t0k",
        key: "p6qQKPhAYmPDLRkBlxYfhpTLnBCPhhB2WAAam1I1n6U",
        receive_id: "wwcorp0000000001x",
        random: "AAAAAAAAAAAAAAAA",
        message: "导购小王：您好!!!!!!",
        timestamp: "1700000000",
        nonce: "n",
        encrypted: "xi2Tt9yE11usT+UqjATL+s90StPQ4YMgaVBNB3PBgy7UGBOSIOvsWnZfo5sls3F+6cEgyByvrqRJoCFzd/VkX1uV3Rsjt4NyKFJZYz+oVDbe6JQ9Uaai8G8It8Hf/bfm",
        signature: "44a882ba2ef4d1abdf992bcbe351d5881b6b6aae",
    },
    Vector {
        name: "V4",
        token: "SimToken2026",
        key: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        receive_id: "ww1a2b3c4d5e6f7a8b",
        random: "0000000000000000",
        message: "trailing-bits",
        timestamp: "1719830402",
        nonce: "42",
        encrypted: "PzGmUgWk50kxC6Ee1E5Yxw/bIOBR5ZA/LhTc5KEUMZcys9yXprViHojPSJgE5ETSJ983Yw4VAQWuGOpGMdmv8g==",
        signature: "7b7ade2799c94b60bba8f4f1e98e399280803900",
    },
];

impl Vector {
    fn crypto(&self) -> CallbackCrypto {
        CallbackCrypto::new(self.token, self.key, self.receive_id).unwrap()
    }
}

#[test]
fn the_vectors_open_and_seal_to_the_same_bytes() {
    for vector in &VECTORS {
        let crypto = vector.crypto();
        let opened = crypto.open(vector.signature, vector.timestamp, vector.nonce, vector.encrypted);
        assert_eq!(opened.as_deref(), Ok(vector.message), "{}", vector.name);
        let random = vector.random.as_bytes().try_into().unwrap();
        assert_eq!(
            crypto.encrypt(random, vector.message),
            vector.encrypted,
            "{}",
            vector.name
        );
    }
}

#[test]
fn each_kind_of_damage_is_told_apart() {
    let vector = &VECTORS[0];
    let crypto = vector.crypto();
    let mut wrong = vector.signature.to_owned();
    wrong.replace_range(0..1, "5");
    let open = |crypto: &CallbackCrypto, encrypted: &str| {
        let signature = crypto.signature(vector.timestamp, vector.nonce, encrypted);
        crypto.open(&signature, vector.timestamp, vector.nonce, encrypted)
    };
    assert_eq!(
        crypto.open(&wrong, vector.timestamp, vector.nonce, vector.encrypted),
        Err(CryptoError::Signature)
    );
    let other = CallbackCrypto::new(vector.token, vector.key, "ww0000000000000000").unwrap();
    assert_eq!(open(&other, vector.encrypted), Err(CryptoError::ReceiveId));
    let cut = &vector.encrypted[..vector.encrypted.len() - 4];
    assert!(matches!(
        open(&crypto, cut),
        Err(CryptoError::Base64 | CryptoError::Decrypt)
    ));
    assert_eq!(
        CallbackCrypto::new("t", &vector.key[..42], "ww").err(),
        Some(CryptoError::Key)
    );
}

#[test]
fn a_pad_outside_1_to_32_is_refused() {
    let crypto = VECTORS[0].crypto();
    for pad in [0u8, 33] {
        let mut bytes = [pad; 64];
        let cipher = cbc::Encryptor::<Aes256>::new(&crypto.key.into(), &crypto.iv().into());
        cipher.encrypt_padded::<NoPadding>(&mut bytes, 64).unwrap();
        assert_eq!(
            crypto.decrypt(&STANDARD.encode(bytes)),
            Err(CryptoError::Buffer),
            "pad {pad}"
        );
    }
}

#[test]
fn any_changed_byte_is_refused() {
    let vector = &VECTORS[1];
    let crypto = vector.crypto();
    for place in 0..vector.encrypted.len() {
        let mut damaged = vector.encrypted.to_owned().into_bytes();
        damaged[place] = if damaged[place] == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(damaged).unwrap();
        assert!(
            crypto
                .open(vector.signature, vector.timestamp, vector.nonce, &damaged)
                .is_err(),
            "{place}"
        );
    }
}

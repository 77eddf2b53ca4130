/** Numbers of PKCS#11 (OASIS, Cryptographic Token Interface 3.0), under their names there. */

export const CKF_SERIAL_SESSION = 0x4

/** What a token says of itself. */
export const CKF_LOGIN_REQUIRED = 0x4
export const CKF_PROTECTED_AUTHENTICATION_PATH = 0x100
export const CKF_TOKEN_INITIALIZED = 0x400
export const CKF_USER_PIN_COUNT_LOW = 0x1_0000
export const CKF_USER_PIN_FINAL_TRY = 0x2_0000
export const CKF_USER_PIN_LOCKED = 0x4_0000

export const CKU_USER = 1
export const CKU_CONTEXT_SPECIFIC = 2

export const CKO_PUBLIC_KEY = 2
export const CKO_PRIVATE_KEY = 3

export const CKK_RSA = 0
export const CKK_EC = 3
export const CKK_EC_EDWARDS = 0x40

export const CKA_CLASS = 0
export const CKA_LABEL = 3
export const CKA_KEY_TYPE = 0x100
export const CKA_ID = 0x102
export const CKA_MODULUS = 0x120
export const CKA_PUBLIC_EXPONENT = 0x122
export const CKA_EC_PARAMS = 0x180
export const CKA_EC_POINT = 0x181
export const CKA_ALWAYS_AUTHENTICATE = 0x202

export const CKM_RSA_PKCS_PSS = 0xd
export const CKM_SHA256 = 0x250
export const CKM_ECDSA = 0x1041
export const CKM_EDDSA = 0x1057
export const CKG_MGF1_SHA256 = 2

/** How pkcs11js tells the parameters of RSA-PSS from others: a number of its own. */
export const CK_PARAMS_RSA_PSS = 5

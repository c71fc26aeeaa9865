package truredis

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"golang.org/x/oauth2"
)

const keySize = 32 // AES-256

var errSealed = errors.New("truredis: none of the keys decrypts the token in Redis")

// seals encrypts with its first key and decrypts with any. No key means plaintext.
type seals []cipher.AEAD

func newSeals(keys [][]byte) (seals, error) {
	var s seals
	for _, key := range keys {
		if len(key) != keySize {
			return nil, argument("WithEncryptionKeys", "each key must have 32 bytes")
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, argument("WithEncryptionKeys", "not usable as a key")
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, argument("WithEncryptionKeys", "not usable as a key")
		}
		s = append(s, aead)
	}
	return s, nil
}

// sealedToken is the part of a token that Redis keeps. The record ends when the token
// does.
type sealedToken struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
}

// place is the Redis key that a token is bound to: copied to another key's name, it does not open.
func place(key string) []byte { return []byte("truredis token 1 " + key) }

func (s seals) seal(key string, token *oauth2.Token) (string, error) {
	text, err := json.Marshal(sealedToken{token.AccessToken, token.TokenType}) //nolint:gosec // sealed below
	if err != nil || len(s) == 0 {
		return string(text), err
	}
	return string(s[0].Seal(nil, nil, text, place(key))), nil //nolint:gosec // it makes its own nonce
}

func (s seals) open(key, sealed string) (*oauth2.Token, error) {
	text, err := s.decrypt(key, sealed)
	if err != nil {
		return nil, err
	}
	var kept sealedToken
	if json.Unmarshal(text, &kept) != nil || kept.AccessToken == "" {
		return nil, errSealed
	}
	return &oauth2.Token{AccessToken: kept.AccessToken, TokenType: kept.TokenType}, nil
}

func (s seals) decrypt(key, sealed string) ([]byte, error) {
	if len(s) == 0 {
		return []byte(sealed), nil
	}
	for _, aead := range s {
		if text, err := aead.Open(nil, nil, []byte(sealed), place(key)); err == nil {
			return text, nil
		}
	}
	return nil, errSealed
}

// digest tells tokens apart without giving them away; "" for none.
func digest(key, token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key + " " + token))
	return hex.EncodeToString(sum[:])
}

package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"sync"
)

// A signature of the body, or a token in it, proves the sender. Both are compared in
// constant time with every secret, so that the time does not tell which one matched.

// Secrets check signatures: the hex HMAC-SHA256 of a body under any of them.
type Secrets []*secret

// secret keeps HMAC states of a secret for use again: making one costs more than using
// it.
type secret struct{ states sync.Pool }

type state struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

// NewSecrets makes Secrets of the texts. No text may be empty, since anybody can sign
// with that.
func NewSecrets(texts []string) Secrets {
	secrets := make(Secrets, len(texts))
	for i, text := range texts {
		key := []byte(text)
		secrets[i] = &secret{sync.Pool{New: func() any { return &state{mac: hmac.New(sha256.New, key)} }}}
	}
	return secrets
}

// Signed reports whether the signature is that of the body under any secret. It takes
// the same time whichever secret that is.
func (s Secrets) Signed(body []byte, signature string) bool {
	var text [2 * sha256.Size]byte
	var sum [sha256.Size]byte
	if len(signature) != copy(text[:], signature) {
		return false
	}
	if n, err := hex.Decode(sum[:], text[:len(signature)]); err != nil || n != len(sum) {
		return false
	}
	good := 0
	for _, one := range s {
		good |= one.compare(body, &sum)
	}
	return good == 1
}

// compare gives 1 where sum is the body's signature, else 0.
func (s *secret) compare(body []byte, sum *[sha256.Size]byte) int {
	st := s.states.Get().(*state)
	defer s.states.Put(st)
	st.mac.Reset()
	_, _ = st.mac.Write(body)
	return subtle.ConstantTimeCompare(st.mac.Sum(st.sum[:0]), sum[:])
}

// Tokens are the digests of the tokens that a message may bear.
type Tokens [][sha256.Size]byte

// NewTokens makes the Tokens of the texts. It does not keep the texts.
func NewTokens(texts []string) Tokens {
	tokens := make(Tokens, len(texts))
	for i, text := range texts {
		tokens[i] = sha256.Sum256([]byte(text))
	}
	return tokens
}

// Have reports whether given is one of the tokens. It compares digests, so that not
// even a token's length shows in the time.
func (t Tokens) Have(given []byte) bool {
	digest, good := sha256.Sum256(given), 0
	for _, token := range t {
		good |= subtle.ConstantTimeCompare(token[:], digest[:])
	}
	return good == 1
}

package transport

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSaid(t *testing.T) {
	t.Parallel()
	type said struct{ code, message string }
	for body, want := range map[string]said{
		`{"code":"4100","message":"no such client"}`:             {"4100", "no such client"},
		`{"code":4100,"message":7}`:                              {"4100", "7"},
		`{"code":12345678901234567890}`:                          {"12345678901234567000", ""},
		`{"errorCode":" 4000 ","errorMessage":"m"}`:              {"4000", "m"},
		`{"code":" ","error_code":"4002","title":"t"}`:           {"4002", "t"},
		`{"error":"invalid","error_description":"d"}`:            {"invalid", "d"},
		`{"error":{"code":4101,"detail":"d"},"message":"outer"}`: {"4101", "d"},
		`{"code":true,"message":["m"],"detail":"d"}`:             {"", "d"},
		"\xef\xbb\xbf" + `{"code":"1"}`:                          {"1", ""},
		`{"code":"41`:                                            {}, `["4100"]`: {}, `null`: {}, `<html>`: {}, ``: {},
	} {
		code, message := (&Failure{Body: []byte(body)}).Said()
		assert.Equal(t, want, said{code, message}, body)
	}
}

package transport

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestReadErrorBody(t *testing.T) {
	t.Parallel()
	said := func(code, message string) ErrorBody { return ErrorBody{code, message, true} }
	for body, want := range map[string]ErrorBody{
		`{"code":"4100","message":"no such client"}`:             said("4100", "no such client"),
		`{"code":4100,"message":7}`:                              said("4100", "7"),
		`{"code":12345678901234567890}`:                          said("12345678901234567000", ""),
		`{"errorCode":" 4000 ","errorMessage":"m"}`:              said("4000", "m"),
		`{"code":" ","error_code":"4002","title":"t"}`:           said("4002", "t"),
		`{"error":"invalid","error_description":"d"}`:            said("invalid", "d"),
		`{"error":{"code":4101,"detail":"d"},"message":"outer"}`: said("4101", "d"),
		`{"error":{"code":4101},"message":"outer"}`:              said("4101", "outer"),
		`{"code":true,"message":["m"],"detail":"d"}`:             said("", "d"),
		"\xef\xbb\xbf" + `{"code":"1"}`:                          said("1", ""),

		// The vendor's standard has capitals.
		`{"Code":4100,"Message":"m"}`:                             said("4100", "m"),
		`{"CODE":"4101","code":"4100","Message":"m"}`:             said("4100", "m"),
		`{"Error":{"Code":"4000","Message":"m"}}`:                 said("4000", "m"),
		`[{"Code":4100,"Message":"m"}]`:                           said("4100", "m"),
		`[{"message":"first"},{"code":4101}]`:                     said("4101", "first"),
		`{"errors":[{"code":"4002","message":"m"},{"code":"1"}]}`: said("4002", "m"),
		`{"Errors":[{"Code":1003,"Message":"m"}],"message":"o"}`:  said("1003", "m"),
		`{"errors":{"code":"4100"}}`:                              said("4100", ""),
		`{"errors":["m","n"]}`:                                    said("", "m"),
		`{"errors":[],"message":"m"}`:                             said("", "m"),
		`["4100"]`:                                                said("", "4100"),
		`[]`:                                                      said("", ""),
		`{}`:                                                      said("", ""),

		// RFC 9457, and Spring, whose "error" is the text of the status.
		`{"type":"about:blank","title":"Not Found","status":404,"detail":"d","instance":"/x"}`: said("", "d"),
		`{"type":"about:blank","title":"Not Found","status":404,"code":"4100"}`:                said("4100", "Not Found"),
		`{"timestamp":1,"status":404,"error":"Not Found","path":"/p"}`:                         said("", "Not Found"),
		`{"timestamp":1,"status":403,"error":"Forbidden","message":"m"}`:                       said("", "m"),
		`{"error":"Forbidden"}`:           said("", "Forbidden"),
		`{"error":"unauthorized_client"}`: said("unauthorized_client", ""),

		// An object store's document is as good as JSON; a gateway's page is nothing.
		`<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>m</Message></Error>`: said("NoSuchKey", ""),
		`<html><Error><Code>4100</Code></Error></html>`:                                  {},
		`<Error><Code>`: {}, `{"code":"41`: {}, `null`: {}, `<html>`: {}, ``: {}, `"not found"`: {}, `404`: {},
	} {
		assert.Equal(t, want, ReadErrorBody([]byte(body)), body)
	}
}

func TestPageReason(t *testing.T) {
	t.Parallel()
	const xml = "XML instead of JSON"
	for body, want := range map[string]string{
		"<!DOCTYPE html><html>": htmlPage, "\xef\xbb\xbf \n<HTML>": htmlPage, "<p>Request Rejected</p>": htmlPage,
		`<?xml version="1.0"?><html xmlns="x">`: htmlPage, `<?xml version="1.0"?><Error/>`: xml,
		`{"a":"<html>"}`: "", "": "", "null": "", "Not found": "",
	} {
		assert.Equal(t, want, PageReason([]byte(body)), body)
	}
}

func FuzzReadErrorBody(f *testing.F) {
	for _, seed := range []string{`{"errors":[{"Code":4100}]}`, `[[[[[[["x"]]]]]]]`, `<Error><Code>x</Code></Error>`, "\xef\xbb\xbf{}", `{"error":{"error":{"error":1}}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		read := ReadErrorBody(body)
		if !read.Structured && (read.Code != "" || read.Message != "") {
			t.Fatal("a code or a message of what is not structured")
		}
		PageReason(body)
	})
}

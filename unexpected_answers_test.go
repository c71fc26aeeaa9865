package trulioo_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

const firewallPage = "\xef\xbb\xbf\n<!DOCTYPE html>\n<html><body>Request Rejected. MARK</body></html>"

// An answer with a status of success that is not what was asked for never becomes an
// empty profile, an empty page or a complete export of nobody.
func TestTrap_a_success_that_is_no_answer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body     string
		attempts int
		is       error
		code     string // of the APIError; "-" where it is a DecodeError
	}{
		{firewallPage, 4, trulioo.ErrUnexpectedAnswer, "-"},
		{"<p>MARK", 4, trulioo.ErrUnexpectedAnswer, "-"},
		{`<?xml version="1.0"?><Error><Code>MARK</Code></Error>`, 4, trulioo.ErrUnexpectedAnswer, "-"},
		{`{}`, 4, trulioo.ErrUnexpectedAnswer, "-"},
		{`{"MARK":[{"id":"MARK"}]}`, 4, trulioo.ErrUnexpectedAnswer, "-"},
		{`{"errorMessage":"MARK"}`, 4, trulioo.ErrUnexpectedAnswer, ""},
		{`{"code":4100,"message":"MARK"}`, 1, trulioo.ErrNotFound, "4100"},
		{`{"Code":"4101","Message":"MARK"}`, 1, trulioo.ErrNotFound, "4101"},
		{`{"errors":[{"code":4002}]}`, 1, trulioo.ErrNotFound, "4002"},
		{`{"code":4110,"message":"MARK"}`, 1, trulioo.ErrUnexpectedAnswer, "4110"},
		{`{"code":6504,"message":"MARK"}`, 4, trulioo.ErrUnexpectedAnswer, "6504"},
		{`{"code":429}`, 4, trulioo.ErrUnexpectedAnswer, "429"},
		{`{"timestamp":1,"status":502,"error":"Bad Gateway","path":"/MARK"}`, 4, trulioo.ErrUnexpectedAnswer, ""},
		{`{"error":{"code":"5300","detail":"MARK"}}`, 4, trulioo.ErrUnexpectedAnswer, "5300"},
	} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			srv.Fail(truliootest.Any, truliootest.Answer(200, c.body).Header("Content-Type", "application/json").Header("X-Request-Id", "r-1"), truliootest.Path("/query/"))
			client := srv.Client()
			calls := jsonCalls(client)
			delete(calls, "GetJSON")
			calls["Clients.All"] = func(ctx context.Context) error {
				_, err := drain(t, eachID(client.Clients.All(ctx, nil), func(e *trulioo.EndClient) string { return e.ID }))
				return err
			}
			calls["Export"] = func(ctx context.Context) error {
				for _, err := range client.Clients.Export(ctx, &trulioo.ExportOptions{SummariesOnly: true}) {
					return err
				}
				return nil
			}
			for name, call := range calls {
				err := call(t.Context())
				about := name + " " + c.body
				require.ErrorIs(t, err, trulioo.ErrUnexpectedAnswer, about)
				require.ErrorIs(t, err, c.is, about)
				assert.NotContains(t, fmt.Sprintf("%+v", err), "MARK", about)
				var api *trulioo.APIError
				var decode *trulioo.DecodeError
				if c.code == "-" {
					require.ErrorAs(t, err, &decode, about)
					assert.Equal(t, c.attempts, decode.Attempts, about)
					continue
				}
				require.ErrorAs(t, err, &api, about)
				assert.Equal(t, c.code, api.Code, about)
				assert.Equal(t, c.attempts, api.Attempts, about)
				assert.Equal(t, 200, api.StatusCode, about)
				assert.Equal(t, "r-1", api.RequestID, about)
				assert.Equal(t, c.body, string(api.Body()), about)
				assert.Contains(t, err.Error(), "(live, v2, ", about)
				assert.Contains(t, err.Error(), "an error with status 200 OK", about)
			}
		})
	}
}

// Such an answer is tried again as a 502 is: the next attempt's answer counts.
func TestSuccessThatIsNoAnswerIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, body := range []string{firewallPage, `{}`, `{"message":"busy"}`, `{"id":"somebody-else"}`, `[]`, `null`, `"maintenance"`, "upstream connect error"} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			fault := srv.Fail(truliootest.Any, truliootest.Answer(200, body), truliootest.Path("/query/"), truliootest.Times(2))
			client, id := srv.Client(), srv.Live.IDs()[0]
			profile, err := client.Clients.Get(t.Context(), id, nil)
			require.NoError(t, err, body)
			assert.Equal(t, id, profile.ID)
			assert.Equal(t, 2, fault.Hits())
			srv.Fail(truliootest.Any, truliootest.Answer(200, firewallPage), truliootest.Path("/query/"), truliootest.Times(2))
			raw, err := client.GetJSON(t.Context(), "query/workflows", nil)
			require.NoError(t, err)
			assert.Contains(t, string(raw), "totalElements")
		})
	}
}

// Every answer of the API is an object. Other JSON, or no JSON at all, comes from
// somebody on the way, as a gateway's page does.
func TestTrap_an_answer_that_is_no_object(t *testing.T) {
	t.Parallel()
	for body, attempts := range map[string]int{
		`[]`: 4, `[ ]`: 4, `[{"id":"MARK"}]`: 4, `["MARK"]`: 4, `0`: 4, `-1.5e3`: 4, `"MARK"`: 4, `""`: 4, `true`: 4, `false`: 4, `null`: 4, " null\n": 4, "\xef\xbb\xbf[]": 4,
		"upstream connect error MARK": 4, "OK": 4, `[1 2]`: 4, `[] {"id":"MARK"}`: 4, `"\x00"`: 4, "ID,STATUS\nMARK,x\n": 4,
		`[{"code":4110,"message":"MARK"}]`: 1, // an error about the request
	} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			fault := srv.Fail(truliootest.Any, truliootest.Answer(200, body), truliootest.Path("/query/"))
			client := srv.Client()
			calls := jsonCalls(client)
			delete(calls, "GetJSON")
			calls["Clients.Get with details"] = func(ctx context.Context) error {
				_, err := client.Clients.Get(ctx, "id", &trulioo.GetOptions{FullServiceDetails: true})
				return err
			}
			for name, call := range calls {
				err := call(t.Context())
				about := name + " " + body
				require.ErrorIs(t, err, trulioo.ErrUnexpectedAnswer, about)
				assert.NotContains(t, fmt.Sprintf("%+v", err), "MARK", about)
			}
			assert.Equal(t, attempts*len(calls), fault.Hits(), body)
		})
	}
	for body, is := range map[string]error{`{"id":"a"`: io.ErrUnexpectedEOF, `[{"id":"a"`: io.ErrUnexpectedEOF, `{"id" "a"}`: nil, `{"id":"a"}]`: nil, "\xef\xbb\xbf\n {\"id\":\"a\"}]": nil} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			fault := srv.Fail(truliootest.Any, truliootest.Answer(200, body), truliootest.Path("/query/"))
			_, err := srv.Client().Clients.Get(t.Context(), "a", nil)
			var decode *trulioo.DecodeError
			require.ErrorAs(t, err, &decode, body)
			require.NotErrorIs(t, err, trulioo.ErrUnexpectedAnswer, "a damaged object is not something else")
			if is == nil {
				assert.Equal(t, 1, fault.Hits(), body)
				return
			}
			require.ErrorIs(t, err, is, body)
			assert.Equal(t, 4, fault.Hits(), body)
		})
	}
}

// GetJSON takes any JSON, since nobody knows what its endpoint answers with.
func TestGetJSONTakesAnyValueButNull(t *testing.T) {
	t.Parallel()
	for body, ok := range map[string]bool{`[]`: true, `3`: true, `"x"`: true, `false`: true, `{}`: true, `null`: false, "upstream connect error": false} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			fault := srv.Fail(truliootest.Any, truliootest.Answer(200, body), truliootest.Path("/query/"))
			raw, err := srv.Client().GetJSON(t.Context(), "query/clients", nil)
			if ok {
				require.NoError(t, err, body)
				assert.JSONEq(t, body, string(raw))
				return
			}
			require.ErrorIs(t, err, trulioo.ErrUnexpectedAnswer, body)
			assert.Equal(t, 4, fault.Hits(), body)
		})
	}
}

func TestGetDemandsTheProfileOfTheIDAskedFor(t *testing.T) {
	t.Parallel()
	for body, path := range map[string]string{
		`{"id":"b","flowData":{}}`: "id", `{"id":"A"}`: "id", `{"id":""}`: "id", `{"id":null}`: "id", `{"ID2":"a"}`: "id", `{"id":["b"]}`: "id", `{"id":"a "}`: "id",
	} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			srv.Fail(truliootest.GetClient, truliootest.Answer(200, body))
			_, err := srv.Client().Clients.Get(t.Context(), "a", nil)
			var decode *trulioo.DecodeError
			require.ErrorAs(t, err, &decode, body)
			require.ErrorIs(t, err, trulioo.ErrUnexpectedAnswer, body)
			assert.Equal(t, path, decode.Path, body)
			assert.NotContains(t, err.Error(), "b", body)
		})
	}
}

func TestListsDemandDataAndACount(t *testing.T) {
	t.Parallel()
	for body, ok := range map[string]bool{
		`{"data":[]}`: false, `{"totalElements":0}`: false, `{"totalPages":1,"number":0}`: false, `{"data":null}`: false, `{"data":null,"last":true}`: false,
		`{"data":[],"last":true,"first":true}`: false, `{"data":[{"id":"a"}]}`: false, `{"data":[],"totalElements":"many"}`: false,
		`{"data":"MARK","totalElements":5}`: false, `{"data":3,"totalElements":0}`: false, `{"data":true,"totalPages":1}`: false,
		`{"data":{"id":"a"},"totalElements":1}`: true, `{"data":"[]","totalElements":0}`: true,
		`{"data":[],"totalElements":0}`: true, `{"data":null,"totalElements":0}`: true, `{"data":[],"numberOfElements":"0"}`: true,
		`{"data":[{"id":"a"}],"last":true}`: true, `{"totalPages":1.0,"data":[{"id":"a"}]}`: true,
	} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			srv.Fail(truliootest.Any, truliootest.Answer(200, body), truliootest.Path("/query/"))
			_, err := srv.Client().Clients.List(t.Context(), nil)
			_, again := srv.Client().Workflows.List(t.Context(), nil)
			if ok {
				require.NoError(t, errors.Join(err, again), body)
				return
			}
			require.ErrorIs(t, err, trulioo.ErrUnexpectedAnswer, body)
			require.ErrorIs(t, again, trulioo.ErrUnexpectedAnswer, body)
		})
	}
}

// A 404 is believed if the API itself sends it. A gateway's proves nothing.
func TestTrap_a_gateways_404_is_not_believed(t *testing.T) {
	t.Parallel()
	for body, believed := range map[string]bool{
		`{"code":4100}`: true, `{"Code":"4100"}`: true, `{"message":"no such client"}`: true, `{}`: true, `[{"code":"4101"}]`: true,
		`{"type":"about:blank","title":"Not Found","status":404}`: true, "\xef\xbb\xbf{}": true,
		"": false, "   ": false, firewallPage: false, "404 page not found\n": false, `"not found"`: false, "404": false, "null": false, `{"code":4100`: false,
	} {
		srv := truliootest.NewServer(t)
		srv.Fail(truliootest.Any, truliootest.Answer(404, body), truliootest.Path("/query/"))
		for name, call := range jsonCalls(srv.Client()) {
			err := call(t.Context())
			var api *trulioo.APIError
			require.ErrorAs(t, err, &api, name)
			assert.Equal(t, 404, api.StatusCode)
			assert.Equal(t, believed, errors.Is(err, trulioo.ErrNotFound), "%s %s", name, body)
			if !believed {
				assert.Contains(t, err.Error(), "check the base URL", body)
			}
		}
		_, err := srv.Client().Files.Save(t.Context(), "key", io.Discard)
		assert.Equal(t, believed, errors.Is(err, trulioo.ErrNotFound), "file %s", body)
	}
	assert.ErrorIs(t, &trulioo.APIError{StatusCode: 404}, trulioo.ErrNotFound, "one made by a caller's test")
}

// The codes mean not found whatever the status, and no attempt follows.
func TestNotFoundByItsCodeWhateverTheStatus(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 400, 403, 404, 409, 422, 500, 503} {
		for _, code := range []string{"4000", "4002", "4100", "4101"} {
			srv := truliootest.NewServer(t)
			srv.Fail(truliootest.GetClient, truliootest.Answer(status, `[{"Code":`+code+`,"Message":"m"}]`))
			_, err := srv.Client().Clients.Get(t.Context(), "x", nil)
			require.ErrorIs(t, err, trulioo.ErrNotFound, "%d %s", status, code)
			assert.Equal(t, 1, srv.Count(truliootest.GetClient), "%d %s", status, code)
		}
	}
}

// A firewall's page, or an error in JSON, must not pass for somebody's photo.
func TestTrap_a_page_in_place_of_a_file(t *testing.T) {
	t.Parallel()
	photo, page := keyNamed("photo.jpg"), keyNamed("contract.html")
	for _, c := range []struct {
		key, contentType string
		refused          bool
	}{
		{photo, "text/html", true}, {photo, "Text/HTML; charset=utf-8", true}, {photo, "application/xhtml+xml", true},
		{photo, "application/json", true}, {photo, "application/problem+json", true}, {"no key of the vendor's", "text/html", true},
		{photo, "image/png", false}, {photo, "", false}, {photo, "application/octet-stream", false}, {photo, "text/html; =", true},
		{page, "text/html; charset=utf-8", false}, {keyNamed("data.json"), "application/json", false}, {keyNamed("data.json"), "text/html", true},
	} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			fault := srv.Fail(truliootest.DownloadFile, truliootest.Answer(200, "MARK").Header("Content-Type", c.contentType))
			about := c.contentType + " " + c.key
			var w bytes.Buffer
			_, err := srv.Client().Files.Save(t.Context(), c.key, &w)
			file, again := srv.Client().Files.Download(t.Context(), c.key)
			if !c.refused {
				require.NoError(t, errors.Join(err, again), about)
				assert.Equal(t, "MARK", w.String(), about)
				require.NoError(t, file.Body.Close())
				return
			}
			for _, err := range []error{err, again} {
				var decode *trulioo.DecodeError
				require.ErrorAs(t, err, &decode, about)
				require.ErrorIs(t, err, trulioo.ErrUnexpectedAnswer, about)
				assert.Equal(t, 4, decode.Attempts, about)
			}
			assert.Empty(t, w.String(), about)
			assert.Equal(t, 8, fault.Hits(), "tried again as a 502 is")
		})
	}
	srv := truliootest.NewServer(t)
	key := srv.Live.FileKeys(srv.Live.IDs()[0])[0]
	srv.Fail(truliootest.DownloadFile, truliootest.Answer(http.StatusOK, firewallPage).Header("Content-Type", "text/html"), truliootest.Times(1))
	var w bytes.Buffer
	_, err := srv.Client().Files.Save(t.Context(), key, &w)
	require.NoError(t, err)
	assert.NotContains(t, w.String(), "html")
}

// keyNamed is a key as the vendor makes them, of a file of this name.
func keyNamed(name string) string {
	return base64.StdEncoding.EncodeToString([]byte("flow/client/element/" + name))
}

// The list names the clients and the API answers not found for all of them: that is not
// a complete export of nobody.
func TestTrap_an_export_of_which_nearly_everything_is_gone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		clients, there int // there counts those that exist
		answer         truliootest.Effect
		ends           bool
	}{
		"all gone":               {clients: 30, answer: truliootest.Answer(404, `{"code":4100}`), ends: true},
		"all gone, many":         {clients: 150, answer: truliootest.Answer(404, `{"code":4100}`), ends: true},
		"all gone, status 200":   {clients: 30, answer: truliootest.Answer(200, `{"code":4100}`), ends: true},
		"nearly all gone":        {clients: 30, there: 2, answer: truliootest.Answer(404, `{}`), ends: true},
		"most gone":              {clients: 30, there: 5, answer: truliootest.Answer(404, `{}`)},
		"a handful gone":         {clients: 4, answer: truliootest.Answer(404, `{}`)},
		"a gateway's 404":        {clients: 12, answer: truliootest.Answer(404, firewallPage)},
		"a gateway's empty 404":  {clients: 12, answer: truliootest.Answer(404, "")},
		"a gateway's page, 200":  {clients: 6, answer: truliootest.Answer(200, firewallPage)},
		"the error of a timeout": {clients: 6, answer: truliootest.Answer(200, `{"code":6504}`)},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := exportServer(t, truliootest.AccountSpec{Clients: c.clients})
			for _, id := range srv.Live.IDs()[c.there:] {
				srv.Fail(truliootest.GetClient, c.answer, truliootest.Path(id))
			}
			var ended error
			done, failed, gone := 0, 0, 0
			for item, err := range srv.Client().Clients.Export(t.Context(), &trulioo.ExportOptions{OnProgress: func(p trulioo.ExportProgress) { gone = p.Gone }}) {
				switch {
				case err != nil:
					ended = err
				case item.Err != nil:
					failed++
				default:
					done++
				}
			}
			assert.Equal(t, c.ends, errors.Is(ended, trulioo.ErrUnexpectedAnswer), "%s: %v", name, ended)
			if c.ends {
				assert.Equal(t, min(c.clients-c.there, 100), gone, name)
				return
			}
			require.NoError(t, ended, name)
			assert.Equal(t, c.there, done, name)
			assert.Equal(t, c.clients, done+failed+gone, "%s: not one is lost in silence", name)
		})
	}
}

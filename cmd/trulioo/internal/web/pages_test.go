package web_test

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportruns"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/web"
	"github.com/trulioo-go/trulioo/truliootest"
)

//nolint:paralleltest // open sets a variable
func TestTheListAndItsFilters(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	ids := p.box.Live.IDs()
	_, body := get(t, client, p.origin+"/clients")
	assert.Contains(t, body, ids[len(ids)-1])
	assert.Contains(t, body, "240 clients.")
	assert.Contains(t, body, `href="/clients?page=1"`)
	_, body = get(t, client, p.origin+"/clients?page=1")
	assert.NotContains(t, body, ids[len(ids)-1])
	assert.Contains(t, body, ids[len(ids)-26])
	_, body = get(t, client, p.origin+"/clients?status=REJECTED&after=2024-06-01&page=0")
	assert.NotContains(t, body, `<span class="tag good">`)
	status, body := get(t, client, p.origin+"/clients?after=yesterday")
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, body, "must be a date such as")
	status, _ = get(t, client, p.origin+"/clients?after=2024-06-02&before=2024-06-01")
	assert.Equal(t, http.StatusBadRequest, status)
}

//nolint:paralleltest // open sets a variable
func TestSearchKnowsWhatThePageHasRead(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	id, name := p.someone(t)
	_, body := get(t, client, p.origin+"/clients?q="+name)
	assert.Contains(t, body, "0 found among 0 profiles")
	_, body = get(t, client, p.origin+"/clients?q="+id)
	assert.Contains(t, body, `id="entered"`, "an id leads to the person")
	_, body = get(t, client, p.origin+"/clients?q="+strings.ToUpper(name))
	assert.Contains(t, body, "1 found among 1 profiles")
	assert.Contains(t, body, id)
}

//nolint:paralleltest // open sets a variable
func TestAPersonIsMaskedUntilAskedFor(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	id, name := p.someone(t)
	_, body := get(t, client, p.origin+"/clients/"+id)
	assert.NotContains(t, body, name)
	assert.NotContains(t, body, "@example.com")
	assert.NotContains(t, body, "<img")
	_, body = get(t, client, p.origin+"/clients/"+id+"?show=1")
	assert.Contains(t, body, name)
	assert.Contains(t, body, "@example.com")
	assert.Contains(t, body, `<img src="/clients/`+id+`/files/0"`)
	assert.Contains(t, body, `src="/clients/`+id+`/files/0"`)
	status, archive := get(t, client, p.origin+"/clients/"+id+"/bundle")
	assert.Equal(t, http.StatusOK, status)
	content, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	require.NoError(t, err)
	assert.Greater(t, len(content.File), 4, "the profile, the page, the manifest and two files")
	for _, path := range []string{"/clients/000000000000000000000000/bundle", "/clients/../bundle"} {
		status, _ = get(t, client, p.origin+path)
		assert.Equal(t, http.StatusNotFound, status, path)
	}
	status, _ = get(t, client, p.origin+"/clients/000000000000000000000000")
	assert.Equal(t, http.StatusNotFound, status)
	status, _ = get(t, client, p.origin+"/clients/"+id+"/files/9")
	assert.Equal(t, http.StatusNotFound, status)
	status, _ = get(t, client, p.origin+"/clients/"+id+"/files/-1")
	assert.Equal(t, http.StatusNotFound, status)
}

// Everything that people entered is shown as text, also where it looks like HTML.
//
//nolint:paralleltest // open sets a variable
func TestEnteredTextIsEscaped(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	evil := `<script>alert(1)</script>"><img src=x onerror=alert(1)>`
	profile, err := json.Marshal(map[string]any{
		"id": "6666c5e3d7d855644e00beef", "created": 1718011363, "lastModified": 1718011363, "status": evil,
		"flowData": map[string]any{"f": map[string]any{"id": "f", "fieldData": map[string]any{
			"a": map[string]any{"id": "a", "name": evil, "role": "full_name", "value": []string{evil, evil + "2"}},
		}, "fileData": map[string]string{"b": evil}, "serviceData": []any{map[string]any{"nodeTitle": evil, "nodeType": evil, "timestamp": 1718011363}}}},
		"notes": []any{map[string]any{"id": "n", "text": evil, "createdBy": evil, "created": "2024-06-10T09:22:43Z"}},
	})
	require.NoError(t, err)
	id, err := p.box.Live.Put(profile)
	require.NoError(t, err)
	for _, path := range []string{"/", "/clients", "/clients/" + id, "/clients/" + id + "?show=1", "/clients?q=%3Cscript%3E", "/clients?status=%22%3E%3Cscript%3E"} {
		_, body := get(t, client, p.origin+path)
		assert.NotContains(t, body, "<script>", path)
		assert.NotContains(t, body, "<img src=x", path)
	}
	event := truliootest.NewEvent(trulioo.EventType(evil), truliootest.EventSpec{ClientID: evil, FlowID: evil, Fields: map[string]any{"x": evil}})
	require.NoError(t, p.box.SendEvent(t.Context(), p.receiver.URL, event))
	for _, path := range []string{"/callbacks", "/callbacks/1", "/callbacks/1?show=1"} {
		_, body := get(t, client, p.origin+path)
		assert.NotContains(t, body, "<script>", path)
		assert.NotContains(t, body, "<img src=x", path)
	}
}

//nolint:paralleltest // open sets a variable
func TestCallbacks(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	id, _ := p.someone(t)
	event := truliootest.NewEvent(trulioo.EventStepSubmit, truliootest.EventSpec{ClientID: id})
	require.NoError(t, p.box.SendEvent(t.Context(), p.receiver.URL, event))
	require.Error(t, (&truliootest.Sender{Token: "guessed", Attempts: 1}).SendEvent(t.Context(), p.receiver.URL, event))
	_, body := get(t, client, p.origin+"/callbacks")
	assert.Contains(t, body, "STEP_SUBMIT")
	assert.Contains(t, body, "not verified")
	_, body = get(t, client, p.origin+"/callbacks/1")
	assert.NotContains(t, body, "Ada")
	assert.Contains(t, body, "--data-binary @callback-1.json")
	assert.NotContains(t, body, truliootest.WebhookToken)
	_, body = get(t, client, p.origin+"/callbacks/1?show=1")
	assert.Contains(t, body, "Ada")
	assert.NotContains(t, body, truliootest.WebhookToken)
	_, body = get(t, client, p.origin+"/callbacks/1/body")
	assert.Contains(t, body, truliootest.WebhookToken, "the file is what came, to be sent again")
	_, body = p.post(t, client, "/callbacks/1/again", map[string]string{"Origin": p.origin})
	assert.Contains(t, body, "Sent again: 200.")
	_, body = get(t, client, p.origin+"/callbacks")
	assert.Contains(t, body, "duplicate", "what was sent again is known")
	status, _ := p.post(t, client, "/callbacks/2/again", map[string]string{"Origin": p.origin})
	assert.Equal(t, http.StatusConflict, status, "what is not verified is not sent on")
	status, _ = get(t, client, p.origin+"/callbacks/99")
	assert.Equal(t, http.StatusNotFound, status)
}

// The page shows callbacks, and the exports of other processes, as they happen.
//
//nolint:paralleltest // open sets a variable
func TestTheStream(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	client.Timeout = 0
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.origin+"/stream", nil)
	require.NoError(t, err)
	response, err := client.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	assert.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	lines := bufio.NewScanner(response.Body)
	until := func(part string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return
			}
		}
		require.Fail(t, "the stream has ended")
	}
	until("retry:")
	require.NoError(t, p.box.SendEvent(t.Context(), p.receiver.URL, truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{})))
	until("event: callback")
	until("FLOW_END")
	board := exportruns.Begin(exportruns.Run{Command: "export", Account: "sandbox", Place: "SQLite"})
	board.Progress(trulioo.ExportProgress{Done: 3, Total: 12})
	until("event: runs")
	until("export to SQLite")
	board.End(nil)
	until("done")
}

//nolint:paralleltest // open sets a variable
func TestThePictureCountsWhatIsThere(t *testing.T) {
	p := open(t, func(s *web.Settings) { s.ReadAll = true })
	client := p.enter(t)
	require.Eventually(t, func() bool {
		_, body := get(t, client, p.origin+"/")
		return strings.Contains(body, "count 240 profiles")
	}, time.Minute, 50*time.Millisecond)
	_, body := get(t, client, p.origin+"/")
	accepted, outcomes, failed := 0, map[string]int{}, map[string]int{}
	for row, err := range p.client.Clients.All(t.Context(), nil) {
		require.NoError(t, err)
		shown := !row.Created.Before(time.Date(2024, 5, 12, 0, 0, 0, 0, time.UTC)) // 30 days with that of the newest client, 10 June
		if shown && (row.Status == trulioo.StatusAccepted || row.Status == trulioo.StatusCompleted) {
			accepted++
		}
		profile, err := p.client.Clients.Get(t.Context(), row.ID, &trulioo.GetOptions{FullServiceDetails: true})
		require.NoError(t, err)
		record := exportstore.NewRecord("", row, profile, true)
		outcomes[record.Screening]++
		for name := range strings.SplitSeq(record.FailedSources, "; ") {
			failed[name]++
		}
	}
	assert.Regexp(t, `accepted or completed <b>`+strconv.Itoa(accepted)+`</b>`, body)
	delete(outcomes, "")
	delete(failed, "")
	require.NotEmpty(t, outcomes)
	require.NotEmpty(t, failed)
	for what, n := range outcomes {
		assert.Regexp(t, `<th scope="row">`+what+`</th>.*<td class="num">`+strconv.Itoa(n)+`</td>`, body)
	}
	for what, n := range failed {
		assert.Regexp(t, `<th scope="row">`+what+`</th>.*<td class="num">`+strconv.Itoa(n)+`</td>`, body)
	}
}

//nolint:paralleltest // open sets a variable
func TestAnAPIThatFailsIsSaid(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	p.box.Close()
	for _, path := range []string{"/", "/clients", "/clients/665f1b1c2d3e4f5a6b7c8d9e"} {
		status, body := get(t, client, p.origin+path)
		assert.Equal(t, http.StatusBadGateway, status, path)
		assert.Contains(t, body, "The request to the API failed", path)
	}
}

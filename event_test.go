package trulioo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

const wholeEvent = `{"id":"667b1c2f","token":"t","type":"EVENT_CALLBACK",
  "event":{"type":"SERVICE_SUBMIT","ts":1718011363,"user":"agent"},"flowId":"f1","nodeId":"n1","userId":"u1",
  "serviceType":"TRULIOO_EIDV","test":true,"retry":2,
  "serviceData":{"timestamp":1718011363,"serviceStatus":"completed","nodeId":"n1","match":false,
    "transactionInfo":{"countryCode":"CA"},"fullServiceDetails":{"TransactionID":"x","Big":12345678901234567890}},
  "formData":[{"name":"First name","value":["Ada"]}]}`

func parse(tb testing.TB, body string) *trulioo.Event {
	tb.Helper()
	ev, err := trulioo.ParseEvent([]byte(body))
	require.NoError(tb, err)
	return ev
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	ev := parse(t, wholeEvent)
	assert.Equal(t, "667b1c2f", ev.ClientID)
	assert.Equal(t, trulioo.EventServiceSubmit, ev.Type)
	assert.True(t, ev.Time.Equal(time.Unix(1718011363, 0)))
	assert.Equal(t, []string{"agent", "f1", "n1", "u1"}, []string{ev.User, ev.FlowID, ev.NodeID, ev.UserID})
	assert.Equal(t, trulioo.ServiceEIDV, ev.ServiceType)
	assert.True(t, ev.Test)
	assert.Equal(t, 2, ev.Retry)
	assert.Equal(t, wholeEvent, string(ev.Raw)) //nolint:testifylint // the very bytes
	require.NotNil(t, ev.ServiceData)
	assert.Equal(t, trulioo.ServiceStatusCompleted, ev.ServiceData.ServiceStatus)
	assert.False(t, *ev.ServiceData.Match)
	assert.Nil(t, ev.ServiceData.SecondaryMatch)
	assert.Equal(t, "CA", ev.ServiceData.TransactionInfo.CountryCode)
	assert.Equal(t, "f1", ev.ServiceData.FlowID)
	assert.JSONEq(t, `{"TransactionID":"x","Big":12345678901234567890}`, string(ev.ServiceData.FullServiceDetails))
}

// An odd field must not lose the event: it has its zero value, or the value meant.
func TestParseEventIsTolerant(t *testing.T) {
	t.Parallel()
	for body, check := range map[string]func(*testing.T, *trulioo.Event){
		`{}`: func(t *testing.T, ev *trulioo.Event) { assert.Equal(t, trulioo.EventType(""), ev.Type) },
		`{"id":42,"flowId":null,"nodeId":[],"userId":{}}`: func(t *testing.T, ev *trulioo.Event) {
			assert.Equal(t, []string{"42", "", "", ""}, []string{ev.ClientID, ev.FlowID, ev.NodeID, ev.UserID})
		},
		`{"event":{"type":"flow_end","ts":"2024-06-10T09:22:43Z"},"serviceType":"trulioo_docv"}`: func(t *testing.T, ev *trulioo.Event) {
			assert.Equal(t, trulioo.EventFlowEnd, ev.Type)
			assert.Equal(t, trulioo.ServiceDocV, ev.ServiceType)
			assert.True(t, ev.Time.Equal(time.Unix(1718011363, 0)))
		},
		`{"event":{"type":"Some_New","ts":1718011363000}}`: func(t *testing.T, ev *trulioo.Event) {
			assert.Equal(t, trulioo.EventType("Some_New"), ev.Type, "unknown values pass through")
			assert.True(t, ev.Time.Equal(time.Unix(1718011363, 0)))
		},
		`{"event":{"ts":{}},"test":"true","retry":"3"}`: func(t *testing.T, ev *trulioo.Event) {
			assert.True(t, ev.Time.IsZero())
			assert.True(t, ev.Test)
			assert.Equal(t, 3, ev.Retry)
		},
		`{"event":"FLOW_END","test":1,"retry":{}}`: func(t *testing.T, ev *trulioo.Event) {
			assert.Equal(t, trulioo.EventType(""), ev.Type)
			assert.False(t, ev.Test)
			assert.Zero(t, ev.Retry)
		},
		`{"ID":"x","Event":{"type":"FLOW_END"},"FLOWID":"y"}`: func(t *testing.T, ev *trulioo.Event) {
			assert.Empty(t, ev.ClientID+ev.FlowID+string(ev.Type), "names match exactly")
		},
		`{"serviceData":null}`:    func(t *testing.T, ev *trulioo.Event) { assert.Nil(t, ev.ServiceData) },
		`{"serviceData":[{}]}`:    func(t *testing.T, ev *trulioo.Event) { assert.Nil(t, ev.ServiceData) },
		`{"serviceData":"later"}`: func(t *testing.T, ev *trulioo.Event) { assert.Nil(t, ev.ServiceData) },
		`{"serviceData":{}}`: func(t *testing.T, ev *trulioo.Event) {
			assert.Equal(t, &trulioo.ServiceResult{}, ev.ServiceData)
		},
		`{"serviceData":{"timestamp":"1718011363","match":"true","nodeId":7,"fullServiceDetails":{"a":1}}}`: func(t *testing.T, ev *trulioo.Event) {
			require.NotNil(t, ev.ServiceData)
			assert.Equal(t, "7", ev.ServiceData.NodeID, "untidy scalars are read")
			assert.JSONEq(t, `{"a":1}`, string(ev.ServiceData.FullServiceDetails))
		},
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			check(t, parse(t, body))
		})
	}
}

// A result in an event is read like one in a profile, by a shorter way: the two
// must not drift apart, and no field of the type may be forgotten.
func TestEventServiceDataIsThatOfAProfile(t *testing.T) {
	t.Parallel()
	info := `"transactionInfo":{"accountName":"a","accountIdentifier":"b","countryCode":"c","date":"2025-10-09T08:32:04.485+00:00","shareableToken":"e\n",` +
		`"transactionId":"f","transactionRecordId":"g","userName":"h"}`
	full := `{"timestamp":1718011363,"serviceStatus":"completed","nodeId":"n","nodeTitle":"t","nodeType":"TRULIOO_DOC_V","match":true,` +
		`"secondaryMatch":false,"fullServiceDetails":{"a": [1]},"watchlistResults":{"L":{"watchlistStatus":"No Hit","watchlistHitDetails":{"wlHitsNumber":1}}},` + info + `}`
	for _, service := range []string{
		full, `{}`,
		`{"timestamp":null,"serviceStatus":null,"nodeId":null,"nodeType":null,"match":null,"transactionInfo":null,"fullServiceDetails":null,"watchlistResults":null}`,
		`{"nodeId":7,"match":"true","serviceStatus":8,"watchlistResults":[]}`,
		`{"match":1,"secondaryMatch":"no","transactionInfo":{"date":20240610,"userName":true}}`,
		`{"transactionInfo":[],"nodeTitle":{},"fullServiceDetails":"{}"}`,
		`{"watchlistResults":{"L":{"watchlistHitDetails":{"wlHitsNumber":"3"}}},"new":1}`,
	} {
		profile := `{"flowData":{"f":{"serviceData":[` + service + `]}}}`
		var want trulioo.Profile
		require.NoError(t, json.Unmarshal([]byte(profile), &want))
		got := parse(t, `{"flowId":"f","serviceData":`+service+`}`).ServiceData
		require.NotNil(t, got, service)
		assert.Equal(t, want.Services()[0], *got, service)
	}
	got := reflect.ValueOf(*parse(t, `{"flowId":"f","serviceData":`+full+`}`).ServiceData)
	for i := range got.NumField() {
		assert.False(t, got.Field(i).IsZero(), got.Type().Field(i).Name)
	}
	transaction := got.FieldByName("TransactionInfo")
	for i := range transaction.NumField() {
		assert.False(t, transaction.Field(i).IsZero(), transaction.Type().Field(i).Name)
	}
}

func TestParseEventRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", " ", "null", "[]", `"x"`, "1", "{", `{"canary":}`, "{} {}", "{}x", `{"canary":1,"canary":2}`,
		`{"id":"a","\u0069d":"b"}`, `{"event":{"ts":1,"ts":2}}`, `{"serviceData":{"match":true,"match":false}}`,
		`{"formData":[0,{"value":{"canary":1,"\u0063anary":1}}]}`,
		`{"serviceData":{"match":true,"id":1,"match":false}}`, `{"serviceData":{"watchlistResults":[{"b":1,"a":{},"\u0062":2}]}}`,
		`{"serviceData":{"match":"` + strings.Repeat("x", 2000) + `","id":1,"match":false}}`,
	} {
		ev, err := trulioo.ParseEvent([]byte(body))
		assert.Nil(t, ev, body)
		var refused *trulioo.DecodeError
		require.ErrorAs(t, err, &refused, body)
		assert.NotContains(t, err.Error(), "canary")
		if body != "null" { // a field of the caller's struct that is null stays as it is
			require.Error(t, json.Unmarshal([]byte(body), &trulioo.Event{}), body)
		}
	}
}

func TestEventKey(t *testing.T) {
	t.Parallel()
	base := `{"id":"é","n":1.0,"event":{"type":"A","ts":1},"l":[{"b":1,"a":2}]`
	same := []string{
		base + `}`,
		base + `,"retry":7}`,
		base + `,"token":"t"}`,
		base + `,"retry":{"x":[]},"\u0074oken":null}`,
		` { "l" : [ {"a":2,"b":1} ] , "event":{"ts":1,"type":"A"},"n":1.0,"id":"\u00e9" } `,
		"\ufeff" + base + `}`,
	}
	other := []string{
		base + `,"x":1}`,
		base + `,"Retry":1}`,
		base + `,"Token":"t"}`,
		base + `,"a":{"retry":1}}`,
		base + `,"a":{"token":1}}`,
		strings.Replace(base, "1.0", "1", 1) + `}`,
		strings.Replace(base, `"ts":1`, `"ts":2`, 1) + `}`,
		strings.Replace(base, `{"b":1,"a":2}`, `{"b":1},{"a":2}`, 1) + `}`,
	}
	want := parse(t, same[0]).Key()
	assert.Regexp(t, "^[0-9a-f]{64}$", want)
	for _, body := range same {
		assert.Equal(t, want, parse(t, body).Key(), body)
	}
	seen := map[string]bool{want: true}
	for _, body := range other {
		key := parse(t, body).Key()
		assert.False(t, seen[key], body)
		seen[key] = true
	}
}

// Other processes and later versions compare keys, so a key must not change. These were
// computed without this library.
func TestEventKeyIsStable(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", parse(t, `{"retry":1}`).Key(), "SHA-256 of {}")
	assert.Equal(t, "387c44e437a1d103c95d9061bbcee695d266fa63cf037779ce56e47fe0703004", parse(t, wholeEvent).Key())
}

func TestEventField(t *testing.T) {
	t.Parallel()
	ev := parse(t, wholeEvent)
	value, ok := ev.Field("formData", "0", "value", "0")
	require.True(t, ok)
	assert.Equal(t, `"Ada"`, string(value))
	value, ok = ev.Field("serviceData", "fullServiceDetails", "Big")
	require.True(t, ok)
	assert.Equal(t, "12345678901234567890", string(value))
	for _, path := range [][]string{{"FormData"}, {"formData", "1"}, {"formData", "x"}, {"id", "x"}} {
		_, ok := ev.Field(path...)
		assert.False(t, ok, path)
	}
	value, ok = ev.Field()
	require.True(t, ok)
	assert.Equal(t, wholeEvent, string(value)) //nolint:testifylint // the very bytes
	_, ok = (&trulioo.Event{}).Field("id")
	assert.False(t, ok)
}

// An event that is published for other processes omits the token, which is a
// credential, and decodes to the same event there.
func TestEventThroughAQueue(t *testing.T) {
	t.Parallel()
	ev := parse(t, wholeEvent)
	message, err := json.Marshal(map[string]any{"event": ev})
	require.NoError(t, err)
	assert.NotContains(t, string(message), `"token"`)
	var far struct{ Event *trulioo.Event }
	require.NoError(t, json.Unmarshal(message, &far))
	assert.Equal(t, ev.Key(), far.Event.Key())
	far.Event.Raw, ev.Raw = nil, nil
	far.Event.ServiceData.FullServiceDetails, ev.ServiceData.FullServiceDetails = nil, nil
	assert.Equal(t, ev, far.Event)
}

// An event made by hand, as in a test, can be sent and has a key.
func TestEventMadeByHand(t *testing.T) {
	t.Parallel()
	ev := &trulioo.Event{ClientID: "c", Type: trulioo.EventFlowEnd, FlowID: "f", Test: true, Time: trulioo.Time{Time: time.Unix(1718011363, 0)}}
	body, err := json.Marshal(ev)
	require.NoError(t, err)
	back := parse(t, string(body))
	assert.Equal(t, ev.Key(), back.Key())
	assert.Equal(t, trulioo.EventFlowEnd, back.Type)
	assert.Equal(t, "c", back.ClientID)
	assert.True(t, back.Test)
	assert.NotEqual(t, ev.Key(), (&trulioo.Event{}).Key())
	assert.Equal(t, []string{"", ""}, []string{(&trulioo.Event{Raw: []byte("x")}).Key(), (&trulioo.Event{Raw: []byte("[]")}).Key()})
}

// Deep and large events cost bounded time and memory.
func TestEventDeepAndLarge(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"a":` + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000) + `}`,
		strings.Repeat(`{"z":0,"a":`, 5_000) + "1" + strings.Repeat("}", 5_000),
		`{"serviceData":` + strings.Repeat(`{"fullServiceDetails":`, 5_000) + "1" + strings.Repeat("}", 5_000) + `}`,
		`{"serviceData":` + strings.Repeat(`{"transactionInfo":`, 5_000) + "1" + strings.Repeat("}", 5_000) + `}`,
		`{"a":[` + strings.Repeat("0,", 1<<18) + `0]}`,
		`{"a":"` + strings.Repeat(`\u0000`, 10<<20/6) + `"}`,
		manyNames(1_000, 60),
		manyNames(4, 150),
	} {
		ev := parse(t, body)
		assert.Len(t, ev.Key(), 64)
		_, ok := ev.Field("a", "0")
		assert.Equal(t, strings.HasPrefix(body, `{"a":[`), ok)
	}
	_, err := trulioo.ParseEvent([]byte(`{"a":` + strings.Repeat("[", 10<<20)))
	require.Error(t, err)
}

// manyNames has objects of this many names each, in no order.
func manyNames(objects, names int) string {
	var b bytes.Buffer
	b.WriteString(`{"n":[0`)
	for range objects {
		b.WriteString(`,{"a":0`)
		for i := range names {
			fmt.Fprintf(&b, `,"\u006e%s%x":"%s"`, strings.Repeat("x", i%7), i, strings.Repeat("v", 80))
		}
		b.WriteByte('}')
	}
	b.WriteString(`]}`)
	return b.String()
}

// TestCallbacksTakeTenTimesTheirSizeAtMost is about memory: a body within the cap that
// would take more than its size warrants is refused.
//
//nolint:paralleltest // what all tests allocate is counted
func TestCallbacksTakeTenTimesTheirSizeAtMost(t *testing.T) {
	const size = 1 << 20
	object := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, n-i)
		}
		return strings.TrimSuffix(b.String(), ",")
	}
	for name, c := range map[string]struct {
		body    string
		refused bool
	}{
		"zeros":                {`{"a":[` + strings.Repeat("0,", size/2) + `0]}`, false},
		"empty objects":        {`{"a":[` + strings.Repeat("{},", size/3) + `0]}`, false},
		"small objects":        {`{"a":[` + strings.Repeat(`{"b":0,"a":0},`, size/14) + `0]}`, false},
		"one wide object":      {`{"a":{` + object(`"%x":0,`, size/9) + `}}`, true},
		"wide at the top":      {`{` + object(`"%x":0,`, size/9) + `}`, true},
		"wide with values":     {`{"a":{` + object(`"%06x":"`+strings.Repeat("v", 200)+`",`, size/212) + `}}`, false},
		"ten wide ones":        {`{"a":[` + strings.Repeat(`{`+object(`"%x":0,`, size/90)+`},`, 10) + `0]}`, true},
		"deep":                 {strings.Repeat(`{"z":0,"a":`, 9_000) + `"` + strings.Repeat("x", size-1<<17) + `"` + strings.Repeat("}", 9_000), false},
		"lists of a watchlist": {`{"serviceData":{"watchlistResults":{` + object(`"%x":{},`, size/10) + `}}}`, true},
		"wide watchlists":      {`{"serviceData":{"watchlistResults":{` + object(`"%x":{},`, 1_000) + `}},"x":"` + strings.Repeat("x", size-20_000) + `"}`, false},
	} {
		body := []byte(c.body)
		var err error
		taken := allocated(func() { _, err = trulioo.ParseEvent(body) })
		assert.Equal(t, c.refused, err != nil, "%s: %v", name, err)
		assert.Less(t, taken/float64(len(body)), 14.0, name) // a third of it is what growing left behind
		assert.Less(t, len(body), size+size/8, name)
	}
}

// allocated is how many bytes f allocates, given back or not.
func allocated(f func()) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// FuzzParseEvent holds ParseEvent against encoding/json, and the key against
// what must and must not change it.
func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(wholeEvent))
	for _, ev := range truliootest.EveryEvent(truliootest.EventSpec{Time: time.Unix(1718011363, 0)}) {
		f.Add([]byte(ev.Raw))
	}
	for _, seed := range []string{`{}`, `null`, `{"event":{"ts":1e3}}`, `{"a":{"b":1,"b":2}}`, `{"serviceData":{"match":"x"}}`, "{\"id\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ev, err := trulioo.ParseEvent(body)
		if err != nil {
			return
		}
		plain := bytes.TrimPrefix(body, []byte("\ufeff"))
		require.True(t, json.Valid(plain))
		require.Equal(t, string(body), string(ev.Raw))
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(plain, &members))
		if id := members["id"]; len(id) > 0 && id[0] == '"' {
			var want string
			require.NoError(t, json.Unmarshal(id, &want))
			require.Equal(t, want, ev.ClientID)
		}
		members["retry"], members["token"] = json.RawMessage("99"), json.RawMessage(`"x"`)
		shuffled, err := json.Marshal(members)
		require.NoError(t, err)
		again, err := trulioo.ParseEvent(shuffled)
		require.NoError(t, err)
		require.Equal(t, ev.Key(), again.Key(), "retry, token, order and space do not count")
		members["one more"] = json.RawMessage("0")
		if bytes.Contains(body, []byte("one more")) {
			return
		}
		more, err := json.Marshal(members)
		require.NoError(t, err)
		other, err := trulioo.ParseEvent(more)
		require.NoError(t, err)
		require.NotEqual(t, ev.Key(), other.Key())
		queued, err := json.Marshal(ev)
		require.NoError(t, err)
		var far trulioo.Event
		require.NoError(t, json.Unmarshal(queued, &far))
		require.Equal(t, ev.Key(), far.Key())
	})
}

// The vendor's other products sign with the same header: their callbacks are
// handed over, and CallbackType tells them apart.
func TestEventOfAnotherProduct(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"type":"EVENT_CALLBACK","id":"c"}`:                  trulioo.CallbackEvent,
		`{"type":"event_callback","id":"c"}`:                  trulioo.CallbackEvent,
		`{"type":"TRANSACTION_COMPLETED","id":"t"}`:           "TRANSACTION_COMPLETED",
		`{"type":"Url_verification_done","event":{"type":1}}`: "Url_verification_done",
		`{"id":"c"}`:                "",
		`{"type":{"a":1},"id":"c"}`: "",
		`{"type":null,"event":{"type":"FLOW_END"},"flow":"f"}`: "",
	} {
		var got []*trulioo.Event
		h, err := trulioo.NewWebhookHandler(func(_ context.Context, ev *trulioo.Event) error { got = append(got, ev); return nil },
			trulioo.WithInsecureNoVerification())
		require.NoError(t, err)
		assert.Equal(t, 200, post(t, h, body).Code, body)
		require.Len(t, got, 1, body)
		assert.Equal(t, want, got[0].CallbackType, body)
		queued, err := json.Marshal(got[0])
		require.NoError(t, err)
		assert.Equal(t, want, parse(t, string(queued)).CallbackType, body)
	}
	queued, err := json.Marshal(trulioo.Event{CallbackType: "OTHER"})
	require.NoError(t, err)
	assert.Equal(t, "OTHER", parse(t, string(queued)).CallbackType, "encoded from its fields")
	queued, err = json.Marshal(trulioo.Event{})
	require.NoError(t, err)
	assert.Equal(t, trulioo.CallbackEvent, parse(t, string(queued)).CallbackType)
}

package trulioo_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

func profileOf(t *testing.T, text string) *trulioo.Profile {
	t.Helper()
	p := new(trulioo.Profile)
	require.NoError(t, json.Unmarshal([]byte(text), p))
	return p
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	const at = 1718011363
	p := profileOf(t, fmt.Sprintf(`{"id":"c","created":%d,"lastModified":%d,
		"flowData":{"f":{"serviceData":[{"timestamp":%d,"nodeTitle":"second"},{"timestamp":%d,"nodeTitle":"first"},{"nodeTitle":"undated"}]}},
		"notes":[{"text":"n","created":"2024-06-10T09:22:44Z"}],
		"tasks":[{"text":"done","created":"2024-06-10T09:22:43Z","updated":"2024-06-10T09:30:00Z"},{"text":"open","created":"2024-06-10T09:22:50Z","updated":"2024-06-10T09:22:50Z"}]}`,
		at, at+900, at+2, at+1))
	var got []string
	for _, m := range p.Timeline() {
		text := string(m.Kind)
		switch {
		case m.Service != nil:
			text += " " + m.Service.NodeTitle + " of " + m.Service.FlowID
		case m.Note != nil:
			text += " " + m.Note.Text
		case m.Task != nil:
			text += " " + m.Task.Text
		}
		got = append(got, text)
		assert.Equal(t, "trulioo.Moment[redacted]", fmt.Sprintf("%+v", m))
	}
	assert.Equal(t, []string{"check undated of f", "created", "task done", "check first of f", "note n", "check second of f", "task open", "task updated done", "modified"}, got)

	assert.Empty(t, profileOf(t, `{"id":"c"}`).Timeline())
	once := profileOf(t, fmt.Sprintf(`{"id":"c","created":%d,"lastModified":%d}`, at, at)).Timeline()
	require.Len(t, once, 1, "the creation is the last change")
	assert.Equal(t, trulioo.MomentCreated, once[0].Kind)
}

func TestLatest(t *testing.T) {
	t.Parallel()
	flow := func(id, answer string, stamps string) string {
		return fmt.Sprintf(`%q:{"fieldData":{"x":{"role":"last_name","value":[%s]}},"serviceData":[%s]}`, id, answer, stamps)
	}
	at := func(stamp int) string { return fmt.Sprintf(`{"timestamp":%d}`, stamp) }
	for name, tt := range map[string]struct {
		flows string
		value string
		ok    bool
	}{
		"none":                                {flow("a", ``, at(5)), "", false},
		"white space is none":                 {flow("a", `" "`, at(5)), "", false},
		"one":                                 {flow("a", `" Brown "`, ``), "Brown", true},
		"all agree, no check":                 {flow("a", `"Brown"`, ``) + "," + flow("b", `"Brown"`, ``), "Brown", true},
		"the later flow":                      {flow("a", `"New"`, at(9)) + "," + flow("b", `"Old"`, at(5)+","+at(7)), "New", true},
		"the later flow, the other way":       {flow("a", `"Old"`, at(5)) + "," + flow("b", `"New"`, at(6)), "New", true},
		"the later flow has no answer":        {flow("a", `"Old"`, at(5)) + "," + flow("b", ``, at(6)) + "," + flow("c", `"New"`, at(6)), "New", true},
		"the later flow differs from itself":  {flow("a", `"Old"`, at(5)) + "," + flow("b", `"New","Newer"`, at(6)), "", false},
		"a flow without checks is older":      {flow("a", `"New"`, at(5)) + "," + flow("b", `"Old"`, ``), "New", true},
		"at one time, differing":              {flow("a", `"X"`, at(5)) + "," + flow("b", `"Y"`, at(5)), "", false},
		"at one time, agreeing, and an older": {flow("a", `"X"`, at(5)) + "," + flow("b", `"X"`, at(5)) + "," + flow("c", `"Y"`, at(1)), "X", true},
		"no times at all":                     {flow("a", `"X"`, ``) + "," + flow("b", `"Y"`, ``), "", false},
	} {
		p := profileOf(t, `{"id":"c","flowData":{`+tt.flows+`}}`)
		value, ok := p.Latest(trulioo.RoleLastName)
		assert.Equal(t, tt.ok, ok, name)
		assert.Equal(t, tt.value, value, name)
	}
}

func TestStatusFinal(t *testing.T) {
	t.Parallel()
	for status, want := range map[trulioo.Status]bool{
		trulioo.StatusAccepted: true, trulioo.StatusRejected: true, trulioo.StatusCompleted: true, trulioo.StatusFailed: true,
		trulioo.StatusAbandoned: true, trulioo.StatusPending: false, trulioo.StatusPendingReview: false, "": false, "NEW_ONE": false,
	} {
		assert.Equal(t, want, status.Final(), "%q", status)
	}
}

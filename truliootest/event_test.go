package truliootest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func TestEveryEvent(t *testing.T) {
	t.Parallel()
	kinds, keys := map[trulioo.EventType]bool{}, map[string]bool{}
	for _, ev := range truliootest.EveryEvent(truliootest.EventSpec{ClientID: "c1", Test: true}) {
		kinds[ev.Type], keys[ev.Key()] = true, true
		assert.Equal(t, "c1", ev.ClientID)
		assert.True(t, ev.Test)
		assert.NotEmpty(t, ev.FlowID)
		assert.False(t, ev.Time.IsZero())
		if ev.ServiceData != nil {
			assert.Equal(t, trulioo.ServiceStatusCompleted, ev.ServiceData.ServiceStatus)
			assert.NotEmpty(t, ev.ServiceType)
		}
	}
	assert.Len(t, kinds, 18)
	assert.Len(t, keys, 18)
}

func TestNewEventHasWhatTheSpecSays(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 6, 10, 9, 22, 43, 0, time.UTC)
	spec := truliootest.EventSpec{
		ClientID: "c", FlowID: "f", NodeID: "n", UserID: "u", User: "agent", Time: at,
		Fields: map[string]any{"test": true, "extra": []int{7}},
	}
	ev := truliootest.NewEvent("SOMETHING_NEW", spec)
	assert.Equal(t, trulioo.EventType("SOMETHING_NEW"), ev.Type)
	assert.Equal(t, []string{"c", "f", "n", "u", "agent"}, []string{ev.ClientID, ev.FlowID, ev.NodeID, ev.UserID, ev.User})
	assert.True(t, ev.Time.Equal(at))
	assert.True(t, ev.Test)
	extra, ok := ev.Field("extra", "0")
	require.True(t, ok)
	assert.Equal(t, "7", string(extra))
	assert.Equal(t, ev.Key(), truliootest.NewEvent("SOMETHING_NEW", spec).Key())
}

func TestNewEventTwiceIsTwoEvents(t *testing.T) {
	t.Parallel()
	a := truliootest.NewEvent(trulioo.EventTaskDone, truliootest.EventSpec{})
	b := truliootest.NewEvent(trulioo.EventTaskDone, truliootest.EventSpec{})
	assert.NotEqual(t, a.Key(), b.Key())
}

func TestFlowEventsAreInOrder(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 6, 10, 9, 22, 43, 0, time.UTC)
	events := truliootest.FlowEvents(truliootest.EventSpec{Time: at})
	require.Len(t, events, 6)
	assert.Equal(t, trulioo.EventFlowStart, events[0].Type)
	assert.Equal(t, trulioo.EventFlowEnd, events[5].Type)
	for i, ev := range events {
		assert.True(t, ev.Time.Equal(at.Add(time.Duration(i)*time.Second)))
	}
}

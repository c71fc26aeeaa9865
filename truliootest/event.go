package truliootest

import (
	"cmp"
	"encoding/json"
	"maps"
	"sync/atomic"
	"time"

	"github.com/trulioo-go/trulioo"
)

// EventSpec says what a built event holds. A zero field gets a value that fits the
// others. Fields adds members to the callback's top level, or replaces them.
type EventSpec struct {
	ClientID string         // the end client's id
	FlowID   string         // the flow's id
	NodeID   string         // the step's id
	UserID   string         // the vendor's id of the user
	User     string         // who caused it
	Time     time.Time      // cut to seconds; each event without one is a second later than the last
	Test     bool           // of the test environment
	Fields   map[string]any // anything else, as encoding/json encodes it
}

// eventClock is the time of the next event that was not given one. Two events of the
// same second that are alike otherwise would count as one.
var eventClock atomic.Int64

func init() { eventClock.Store(1_718_011_363) }

// serviceOf names the service of the types that are about one.
var serviceOf = map[trulioo.EventType]trulioo.ServiceType{
	trulioo.EventServiceInit:               trulioo.ServiceEIDV,
	trulioo.EventIntermediateEventReceived: trulioo.ServiceDocV,
	trulioo.EventServiceSubmit:             trulioo.ServiceEIDV,
	trulioo.EventInstantServiceSubmit:      trulioo.ServicePersonWL,
	trulioo.EventServiceTimeout:            trulioo.ServiceDocV,
}

// resultOf says which of them have a result.
var resultOf = map[trulioo.EventType]bool{
	trulioo.EventServiceSubmit:        true,
	trulioo.EventInstantServiceSubmit: true,
}

// NewEvent builds a callback of a type, known or not, and decodes it as a
// WebhookHandler would. Documented members are in their documented places; form data,
// notes and tasks are in places made up here.
func NewEvent(kind trulioo.EventType, spec EventSpec) *trulioo.Event {
	if spec.Time.IsZero() {
		spec.Time = time.Unix(eventClock.Add(1), 0)
	}
	nodeID := cmp.Or(spec.NodeID, "6650f1e2a9b8c70012345699")
	callback := map[string]any{
		"id":     cmp.Or(spec.ClientID, "667b1c2f9d3e4a0012ab34cd"),
		"type":   "EVENT_CALLBACK",
		"event":  map[string]any{"type": kind, "ts": spec.Time.Unix(), "user": cmp.Or(spec.User, "end-user")},
		"flowId": cmp.Or(spec.FlowID, "6650f1e2a9b8c70012345678"),
		"nodeId": nodeID,
		"userId": cmp.Or(spec.UserID, "6650f1e2a9b8c700123456aa"),
		"test":   spec.Test,
		"retry":  0,
	}
	if service, ok := serviceOf[kind]; ok {
		callback["serviceType"] = service
	}
	if resultOf[kind] {
		callback["serviceData"] = serviceData(nodeID, spec.Time)
	}
	maps.Copy(callback, extras(kind))
	maps.Copy(callback, spec.Fields)
	return decodeEvent(callback)
}

// EveryEvent builds one event of each known type, in the order of the vendor's list.
func EveryEvent(spec EventSpec) []*trulioo.Event {
	return build(spec,
		trulioo.EventFlowStart, trulioo.EventStepInit, trulioo.EventStepSubmit, trulioo.EventServiceInit,
		trulioo.EventIntermediateEventReceived, trulioo.EventServiceSubmit, trulioo.EventInstantServiceSubmit,
		trulioo.EventServiceTimeout, trulioo.EventFlowEnd, trulioo.EventAbandoned, trulioo.EventManuallyAccepted,
		trulioo.EventManuallyRejected, trulioo.EventManuallyPendingReview, trulioo.EventManuallyAbandoned,
		trulioo.EventNoteAdded, trulioo.EventTaskAdded, trulioo.EventTaskDone, trulioo.EventTaskUndone)
}

// FlowEvents builds the events of one flow that was gone through, in their order.
func FlowEvents(spec EventSpec) []*trulioo.Event {
	return build(spec,
		trulioo.EventFlowStart, trulioo.EventStepInit, trulioo.EventStepSubmit,
		trulioo.EventServiceInit, trulioo.EventServiceSubmit, trulioo.EventFlowEnd)
}

// build gives each event the time one second after the one before.
func build(spec EventSpec, kinds ...trulioo.EventType) []*trulioo.Event {
	events := make([]*trulioo.Event, len(kinds))
	for i, kind := range kinds {
		events[i] = NewEvent(kind, spec)
		if !spec.Time.IsZero() {
			spec.Time = spec.Time.Add(time.Second)
		}
	}
	return events
}

// extras are the fields that only some types have.
func extras(kind trulioo.EventType) map[string]any {
	switch kind {
	case trulioo.EventStepSubmit:
		return map[string]any{"formData": []any{
			map[string]any{"id": "f1", "name": "First name", "role": trulioo.RoleFirstName, "value": []string{"Ada"}},
			map[string]any{"id": "f2", "name": "Last name", "role": trulioo.RoleLastName, "value": []string{"Example"}},
			map[string]any{"id": "f3", "name": "Date of birth", "role": trulioo.RoleDateOfBirth, "value": []string{"1990-12-10"}},
		}}
	case trulioo.EventNoteAdded:
		return map[string]any{"note": map[string]any{"id": "n1", "text": "Called back.", "createdBy": "agent"}}
	case trulioo.EventTaskAdded, trulioo.EventTaskDone, trulioo.EventTaskUndone:
		done := kind == trulioo.EventTaskDone
		return map[string]any{"task": map[string]any{"id": "t1", "text": "Check the address.", "resolved": done, "createdBy": "agent"}}
	}
	return nil
}

// serviceData is a clear watchlist check, as a profile without full service
// details has it.
func serviceData(nodeID string, at time.Time) json.RawMessage {
	s := service{
		account: new(Account), at: at.Unix(), check: checks(false, false)[0], nodeID: nodeID, country: "CA",
		match: true, watch: true, screening: screening{source: "Advanced Watchlist"},
		rng: newRand(uint64(at.Unix()), 0xe7e), //nolint:gosec // any number seeds
	}
	p := new(jsonWriter)
	s.write(p, 0)
	return p.b
}

// decodeEvent panics for Fields that cannot be JSON: a mistake in the test.
func decodeEvent(callback map[string]any) *trulioo.Event {
	body, err := json.Marshal(callback)
	if err != nil {
		panic("truliootest: EventSpec.Fields: " + err.Error())
	}
	ev, err := trulioo.ParseEvent(body)
	if err != nil {
		panic(err)
	}
	return ev
}

package trulioo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/trulioo-go/trulioo/internal/openset"
	"github.com/trulioo-go/trulioo/internal/redact"
	"github.com/trulioo-go/trulioo/internal/tape"
	"github.com/trulioo-go/trulioo/internal/tidy"
)

// EventType says what happened. The set is open: the vendor adds types without
// notice, and an unknown one is delivered as it was sent.
type EventType string

// The event types that the vendor's event list names.
const (
	EventFlowStart                 EventType = "FLOW_START"
	EventStepInit                  EventType = "STEP_INIT"
	EventStepSubmit                EventType = "STEP_SUBMIT"
	EventServiceInit               EventType = "SERVICE_INIT"
	EventIntermediateEventReceived EventType = "INTERMEDIATE_EVENT_RECEIVED"
	EventServiceSubmit             EventType = "SERVICE_SUBMIT"
	EventInstantServiceSubmit      EventType = "INSTANT_SERVICE_SUBMIT"
	EventServiceTimeout            EventType = "SERVICE_TIMEOUT"
	EventFlowEnd                   EventType = "FLOW_END"
	EventAbandoned                 EventType = "ABANDONED"
	EventManuallyAccepted          EventType = "MANUALLY_ACCEPTED"
	EventManuallyRejected          EventType = "MANUALLY_REJECTED"
	EventManuallyPendingReview     EventType = "MANUALLY_PENDING_REVIEW"
	EventManuallyAbandoned         EventType = "MANUALLY_ABANDONED"
	EventNoteAdded                 EventType = "NOTE_ADDED"
	EventTaskAdded                 EventType = "TASK_ADDED"
	EventTaskDone                  EventType = "TASK_DONE"
	EventTaskUndone                EventType = "TASK_UNDONE"
)

// CallbackEvent is the Event.CallbackType of every callback that the vendor
// documents, the handshake apart.
const CallbackEvent = "EVENT_CALLBACK"

// ServiceType names the service that an event is about. The set is open.
type ServiceType string

// The service types seen in callbacks.
const (
	ServiceEIDV          ServiceType = "TRULIOO_EIDV"
	ServiceDocV          ServiceType = "TRULIOO_DOCV"
	ServiceKYBSearch     ServiceType = "TRULIOO_KYB_SEARCH"
	ServiceKYBVerify     ServiceType = "TRULIOO_KYB_VERIFY"
	ServiceKYBInsights   ServiceType = "TRULIOO_KYB_INSIGHTS"
	ServiceKYBComplete   ServiceType = "TRULIOO_KYB_COMPLETE"
	ServiceKYBSubmitter  ServiceType = "TRULIOO_KYB_SUBMITTER"
	ServiceUtilityID     ServiceType = "TRULIOO_UTILITY_ID"
	ServicePersonWL      ServiceType = "TRULIOO_PERSON_WL"
	ServiceBusinessWL    ServiceType = "TRULIOO_BUSINESS_WL"
	ServiceElectronicID  ServiceType = "TRULIOO_ELECTRONIC_ID"
	ServiceSharedSigning ServiceType = "SHARED_SIGNING"
	ServiceTwilio        ServiceType = "TWILIO"
	ServiceAccept        ServiceType = "ACCEPT"
	ServiceReject        ServiceType = "REJECT"
)

var eventTypes = openset.Of(EventFlowStart, EventStepInit, EventStepSubmit, EventServiceInit,
	EventIntermediateEventReceived, EventServiceSubmit, EventInstantServiceSubmit,
	EventServiceTimeout, EventFlowEnd, EventAbandoned, EventManuallyAccepted,
	EventManuallyRejected, EventManuallyPendingReview, EventManuallyAbandoned,
	EventNoteAdded, EventTaskAdded, EventTaskDone, EventTaskUndone)

var serviceTypes = openset.Of(ServiceEIDV, ServiceDocV, ServiceKYBSearch, ServiceKYBVerify,
	ServiceKYBInsights, ServiceKYBComplete, ServiceKYBSubmitter, ServiceUtilityID,
	ServicePersonWL, ServiceBusinessWL, ServiceElectronicID, ServiceSharedSigning,
	ServiceTwilio, ServiceAccept, ServiceReject)

// Event is one callback of the vendor. What a callback has beyond these
// fields, such as the form data of EventStepSubmit, is in Raw; see Field.
// All events of one end client bear the same ClientID, and the vendor sends no
// id of the event itself; see Key.
//
// A field that the callback lacks, or that is of another kind than expected,
// has its zero value: an odd field must not lose the event.
type Event struct {
	ClientID    string         // the end client's id, as Clients.Get takes it
	Type        EventType      // what happened; "" where the callback does not say
	Time        Time           // when it happened; zero where the callback does not say
	User        string         // who caused it, in the vendor's words
	FlowID      string         // the flow that it happened in
	NodeID      string         // the step of the workflow
	UserID      string         // the vendor's id of the user
	ServiceType ServiceType    // the service, in events about one
	Test        bool           // of the test environment; see Client.ForEvent
	Retry       int            // 0 for the first delivery
	ServiceData *ServiceResult // the service's result; nil where there is none
	// CallbackType is the callback's own "type": CallbackEvent, or another word
	// where another of the vendor's products, which sign with the same header,
	// calls the same address. The fields above may then be empty; see Raw.
	CallbackType string
	Raw          json.RawMessage // the callback's exact bytes, with the verification token in them

	key string
}

// ParseEvent decodes one callback. It checks neither the signature nor the
// token: it is for consumers behind a WebhookHandler, such as the far end of a
// queue. Names of fields match exactly; a name given twice, at the top or in
// "event", is refused, since nobody can say which one was meant. The error is
// a *DecodeError.
func ParseEvent(body []byte) (*Event, error) {
	doc, err := readEvent(body)
	if err != nil {
		return nil, err
	}
	defer doc.Free()
	return newEvent(doc, bytes.Clone(body)), nil
}

// readEvent checks that body is an object which names each thing once.
func readEvent(body []byte) (*tape.Doc, error) {
	doc, err := tape.Read(tidy.TrimBOM(body))
	if err != nil {
		return nil, &DecodeError{Operation: "parse event", Reason: err.Error()}
	}
	root := doc.Root()
	inner, found := root.At("event")
	reason := ""
	switch {
	case root.Kind() != tape.Object:
		reason = "not a JSON object"
	case root.Repeats() || found && inner.Repeats():
		reason = "a name is given twice"
	default:
		return doc, nil
	}
	doc.Free()
	return nil, &DecodeError{Operation: "parse event", Reason: reason}
}

// newEvent keeps raw, which has the document's bytes.
func newEvent(doc *tape.Doc, raw []byte) *Event {
	e := &Event{Raw: raw, key: doc.Root().Digest("retry", "token")}
	for name, v := range doc.Root().Members() {
		switch string(name) {
		case "id":
			e.ClientID = v.Text()
		case "type":
			e.CallbackType = callbackType(v.Text())
		case "event":
			e.readInner(v)
		case "flowId":
			e.FlowID = v.Text()
		case "nodeId":
			e.NodeID = v.Text()
		case "userId":
			e.UserID = v.Text()
		case "serviceType":
			e.ServiceType = serviceTypes.Value(v.Bytes())
		case "test":
			e.Test = v.Kind() == tape.True || strings.EqualFold(v.Text(), "true")
		case "retry":
			e.Retry, _ = strconv.Atoi(v.Text())
		case "serviceData":
			e.ServiceData = readServiceData(v)
		}
	}
	if e.ServiceData != nil {
		e.ServiceData.FlowID = e.FlowID
	}
	return e
}

// callbackType gives the known word in the constant's spelling.
func callbackType(text string) string {
	if strings.EqualFold(text, CallbackEvent) {
		return CallbackEvent
	}
	return text
}

func (e *Event) readInner(event tape.Value) {
	for name, v := range event.Members() {
		switch string(name) {
		case "type":
			e.Type = eventTypes.Value(v.Bytes())
		case "ts":
			_ = e.Time.UnmarshalJSON(v.Raw()) // never fails
		case "user":
			e.User = v.Text()
		}
	}
}

// readServiceData decodes all but the vendor's record, which is most of it and
// stays undecoded in a ServiceResult.
func readServiceData(v tape.Value) *ServiceResult {
	const record = "fullServiceDetails"
	raw, result := v.Raw(), new(ServiceResult)
	details, _ := v.At(record)
	split := details.Kind() == tape.Object
	if split {
		raw = v.AppendWithout(make([]byte, 0, len(raw)-len(details.Raw())), record)
	}
	if v.Kind() != tape.Object || tidy.Unmarshal(raw, result) != nil {
		return nil
	}
	if split {
		result.FullServiceDetails = details.Raw()
	}
	return result
}

// Key identifies the event among all deliveries of it: the hex SHA-256 of the
// callback's canonical JSON without the top-level "retry" and "token".
// Canonical means no space, names sorted by their bytes, numbers as they were
// sent and strings with the fewest escapes; names given twice, which only a
// deeper object can have, stay in their order. Two events that are alike in all
// else, time included, have one key. An Event that was not decoded from JSON
// has the key of the JSON it encodes to.
func (e *Event) Key() string {
	if e.key != "" {
		return e.key
	}
	body, err := e.MarshalJSON()
	if err != nil {
		return ""
	}
	decoded, err := ParseEvent(body)
	if err != nil {
		return ""
	}
	return decoded.key
}

// Field gives the JSON at a path below the callback's top, names matched
// exactly and elements of arrays by their index: Field("formData", "0", "value").
// ok is false where there is nothing.
func (e *Event) Field(path ...string) (value json.RawMessage, ok bool) {
	doc, err := tape.Read(tidy.TrimBOM(e.Raw))
	if err != nil {
		return nil, false
	}
	defer doc.Free()
	v := doc.Root()
	for _, step := range path {
		if v, ok = v.At(step); !ok {
			return nil, false
		}
	}
	return v.Raw(), true
}

// UnmarshalJSON is ParseEvent. A null leaves the event as it is, as encoding/json
// does with a struct.
func (e *Event) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	decoded, err := ParseEvent(data)
	if err == nil {
		*e = *decoded
	}
	return err
}

// MarshalJSON gives the callback without its verification token, which is a
// credential, and so what is fit for a queue: decoded again it has the same
// fields and the same key. An Event without Raw is encoded from its fields.
func (e Event) MarshalJSON() ([]byte, error) {
	if len(e.Raw) == 0 {
		return json.Marshal(e.wire())
	}
	doc, err := readEvent(e.Raw)
	if err != nil {
		return nil, err
	}
	defer doc.Free()
	return doc.Root().AppendWithout(nil, "token"), nil
}

// wireEvent is a callback as the vendor sends it, without a token.
type wireEvent struct {
	ID          string         `json:"id"`
	Type        string         `json:"type"`
	Event       wireInner      `json:"event"`
	FlowID      string         `json:"flowId,omitempty"`
	NodeID      string         `json:"nodeId,omitempty"`
	UserID      string         `json:"userId,omitempty"`
	ServiceType ServiceType    `json:"serviceType,omitempty"`
	Test        bool           `json:"test"`
	Retry       int            `json:"retry"`
	ServiceData *ServiceResult `json:"serviceData,omitempty"`
}

type wireInner struct {
	Type EventType `json:"type"`
	TS   Time      `json:"ts"`
	User string    `json:"user,omitempty"`
}

func (e Event) wire() wireEvent {
	return wireEvent{
		ID: e.ClientID, Type: cmp.Or(e.CallbackType, CallbackEvent), Event: wireInner{e.Type, e.Time, e.User},
		FlowID: e.FlowID, NodeID: e.NodeID, UserID: e.UserID, ServiceType: e.ServiceType,
		Test: e.Test, Retry: e.Retry, ServiceData: e.ServiceData,
	}
}

// Format prints the type's name only.
func (e Event) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Event") }

// LogValue is the type's name only, for slog.
func (e Event) LogValue() slog.Value { return redact.Value("trulioo.Event") }

package trulioo

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/trulioo-go/trulioo/internal/wire"
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

var eventTypes = wire.Of(EventFlowStart, EventStepInit, EventStepSubmit, EventServiceInit,
	EventIntermediateEventReceived, EventServiceSubmit, EventInstantServiceSubmit,
	EventServiceTimeout, EventFlowEnd, EventAbandoned, EventManuallyAccepted,
	EventManuallyRejected, EventManuallyPendingReview, EventManuallyAbandoned,
	EventNoteAdded, EventTaskAdded, EventTaskDone, EventTaskUndone)

var serviceTypes = wire.Of(ServiceEIDV, ServiceDocV, ServiceKYBSearch, ServiceKYBVerify,
	ServiceKYBInsights, ServiceKYBComplete, ServiceKYBSubmitter, ServiceUtilityID,
	ServicePersonWL, ServiceBusinessWL, ServiceElectronicID, ServiceSharedSigning,
	ServiceTwilio, ServiceAccept, ServiceReject)

// Event is one callback of the vendor. Raw holds what a callback has beyond these
// fields, such as the form data of EventStepSubmit; see Field.
// All events of one end client bear the same ClientID, and the vendor sends no
// id of the event itself; see Key.
//
// A field that the callback lacks, or that is of another kind than expected,
// has its zero value, so that an odd field does not lose the event.
//
//trulioo:redact
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
	ServiceData *ServiceResult // the service's result; nil if the event has none
	// CallbackType is the callback's own "type": CallbackEvent, or another word
	// where another of the vendor's products, which sign with the same header,
	// calls the same address. The fields above may then be empty; see Raw.
	CallbackType string
	Raw          json.RawMessage // the callback's exact bytes, with the verification token in them

	key string
}

// ParseEvent decodes one callback. It checks neither the signature nor the
// token: it is for consumers behind a WebhookHandler, such as the other end of a
// queue. Names of fields match exactly; a name given twice, in the callback or
// in any object below it, is refused, since nobody can say which one was meant.
// The error is a *DecodeError.
func ParseEvent(body []byte) (*Event, error) { return newEvent(bytes.Clone(body)) }

// newEvent keeps raw.
func newEvent(raw []byte) (*Event, error) {
	e := &Event{Raw: raw}
	key, err := wire.UniqueMembers(raw, func(_, name, value []byte) bool {
		e.set(name, value)
		return string(name) != "token" && string(name) != "retry"
	})
	if err != nil {
		return nil, eventError(OperationParseEvent, err)
	}
	if e.ServiceData != nil {
		e.ServiceData.FlowID = e.FlowID
	}
	e.key = key
	return e, nil
}

// set fills the field of that name.
func (e *Event) set(name, value []byte) {
	switch string(name) {
	case "id":
		e.ClientID = wire.Text(value)
	case "type":
		e.CallbackType = callbackType(wire.Text(value))
	case "event":
		e.setInner(value)
	case "flowId":
		e.FlowID = wire.Text(value)
	case "nodeId":
		e.NodeID = wire.Text(value)
	case "userId":
		e.UserID = wire.Text(value)
	case "serviceType":
		_ = serviceTypes.Decode(value, &e.ServiceType) // never fails
	case "test":
		e.Test = strings.EqualFold(wire.Text(value), "true")
	case "retry":
		e.Retry, _ = strconv.Atoi(wire.Text(value))
	case "serviceData":
		if result := new(ServiceResult); value[0] == '{' && wire.Unmarshal(value, result) == nil {
			e.ServiceData = result
		}
	}
}

// callbackType gives the known word in the constant's spelling.
func callbackType(text string) string {
	if strings.EqualFold(text, CallbackEvent) {
		return CallbackEvent
	}
	return text
}

// setInner fills the fields below "event".
func (e *Event) setInner(event []byte) {
	_ = wire.Members(event, func(_, name, value []byte) { // an odd one is empty
		switch string(name) {
		case "type":
			_ = eventTypes.Decode(value, &e.Type) // never fails
		case "ts":
			_ = e.Time.UnmarshalJSON(value) // never fails
		case "user":
			e.User = wire.Text(value)
		}
	})
}

// appendMember adds a member as it stands to an object that is still open.
func appendMember(object, quoted, value []byte) []byte {
	if len(object) > 1 {
		object = append(object, ',')
	}
	object = append(append(object, quoted...), ':')
	return append(object, value...)
}

func eventError(operation string, err error) error {
	wrong := decodeError(err)
	if decode, ok := errors.AsType[*DecodeError](wrong); ok {
		decode.Operation = operation
	}
	return wrong
}

// Key identifies the event among all deliveries of it: the hex SHA-256 of the
// callback's canonical JSON without the top-level "retry" and "token".
// The canonical form is that of RFC 8785, without spaces, with sorted names and the
// fewest escapes, except that numbers stay as they were sent. Two events that are
// alike in all else, time included, have one key. An Event that was not decoded
// from JSON has the key of the JSON that it encodes to.
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
	raw := bytes.TrimSpace(wire.TrimBOM(e.Raw))
	ok = wire.Valid(raw)
	for _, step := range path {
		if !ok {
			break
		}
		raw, ok = wire.At(raw, step)
	}
	if !ok {
		return nil, false
	}
	return slices.Clip(raw), true
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

// MarshalJSON returns the callback without its verification token, which is a
// credential. The result is fit for a queue: decoded again it has the same fields
// and the same key. An Event without Raw is encoded from its fields.
func (e Event) MarshalJSON() ([]byte, error) {
	if len(e.Raw) == 0 {
		return wire.Marshal(e.wire())
	}
	queued := append(make([]byte, 0, len(e.Raw)+1), '{')
	_, err := wire.UniqueMembers(e.Raw, func(quoted, name, value []byte) bool {
		if string(name) != "token" {
			queued = appendMember(queued, quoted, value)
		}
		return false
	})
	if err != nil {
		return nil, eventError(OperationEncodeEvent, err)
	}
	return append(queued, '}'), nil
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

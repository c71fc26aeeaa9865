package trulioo

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/trulioo-go/trulioo/internal/redact"
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

// ServiceType names the service that an event is about. The set is open.
type ServiceType string

// The service types seen in callbacks.
const (
	ServiceEIDV         ServiceType = "TRULIOO_EIDV"
	ServiceDocV         ServiceType = "TRULIOO_DOCV"
	ServiceKYBSearch    ServiceType = "TRULIOO_KYB_SEARCH"
	ServiceKYBVerify    ServiceType = "TRULIOO_KYB_VERIFY"
	ServiceKYBInsights  ServiceType = "TRULIOO_KYB_INSIGHTS"
	ServiceKYBComplete  ServiceType = "TRULIOO_KYB_COMPLETE"
	ServiceKYBSubmitter ServiceType = "TRULIOO_KYB_SUBMITTER"
	ServiceUtilityID    ServiceType = "TRULIOO_UTILITY_ID"
	ServicePersonWL     ServiceType = "TRULIOO_PERSON_WL"
	ServiceBusinessWL   ServiceType = "TRULIOO_BUSINESS_WL"
	ServiceElectronicID ServiceType = "TRULIOO_ELECTRONIC_ID"
	ServiceSharedSign   ServiceType = "SHARED_SIGNING"
	ServiceTwilio       ServiceType = "TWILIO"
	ServiceAccept       ServiceType = "ACCEPT"
	ServiceReject       ServiceType = "REJECT"
)

// Event is one callback. All events of one end client bear the same ClientID;
// the vendor sends no id of the event itself, see Key.
type Event struct {
	ClientID    string          // the end client's id, as Clients.Get takes it
	Type        EventType       // what happened; empty where the callback does not say
	Time        Time            // when it happened; zero where the callback does not say
	User        string          // who caused it, as the vendor names them
	FlowID      string          // the flow that it happened in
	NodeID      string          // the step or service node of the flow
	UserID      string          // the vendor's id of the user
	ServiceType ServiceType     // the service, for the events of one
	Test        bool            // the event is of the test environment, see Client.ForEvent
	Retry       int             // 0 for the first delivery
	ServiceData *ServiceResult  // the service's result; nil where there is none
	Raw         json.RawMessage // the callback's exact bytes, the verification token among them

	key string
}

// Format prints the type's name only.
func (e Event) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Event") }

// LogValue is the type's name only, for slog.
func (e Event) LogValue() slog.Value { return redact.Value("trulioo.Event") }


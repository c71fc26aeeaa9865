package trulioo

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/trulioo-go/trulioo/internal/download"
)

// Answer is one value that an end client entered.
type Answer struct {
	// FlowID is the flow that it was entered in.
	FlowID string
	// Field is the field that it was entered in, with its id, name and role.
	Field Field
	// Value is one of Field.Value, as entered.
	Value string
}

// FileRef is one file that an end client uploaded.
type FileRef struct {
	// FlowID is the flow that it was uploaded in.
	FlowID string
	// Field is the id of the field that it was uploaded in.
	Field string
	// Key is what FilesService.Download and Save take.
	Key string
}

// Name is a safe file name for the file: the last part of the path in the key,
// cleaned, or one made from a digest of the key where it is not base64 of text.
// Two keys can have the same name. It is personal as Key is.
func (f FileRef) Name() string { return download.NameOfKey(f.Key) }

// UniqueName is Name with a digest of the key before the extension, such as
// "passport-3f9a01c2b4d5e6f7.jpg". No two keys share it, on file systems that
// ignore case or Unicode's normal forms either, and it stays the same whatever
// files a profile gets later. It is personal as Key is.
func (f FileRef) UniqueName() string { return download.UniqueNameOfKey(f.Key) }

// Value gives the answer to the fields of a role, without the white space
// around it. It is ok only if there is one and all answers, over all flows and
// fields, agree; Values has them one by one.
func (p Profile) Value(role Role) (value string, ok bool) {
	for _, answer := range p.Values(role) {
		trimmed := strings.TrimSpace(answer.Value)
		if ok && trimmed != value {
			return "", false
		}
		value, ok = trimmed, true
	}
	return value, ok
}

// Values gives every answer to the fields of a role that is more than white
// space, by flow id, then field id, then as entered.
func (p Profile) Values(role Role) []Answer {
	var answers []Answer
	for _, flowID := range sortedKeys(p.FlowData) {
		fields := p.FlowData[flowID].FieldData
		for _, fieldID := range sortedKeys(fields) {
			field := fields[fieldID]
			if field.Role != role {
				continue
			}
			field.ID = cmp.Or(field.ID, fieldID)
			for _, value := range field.Value {
				if strings.TrimSpace(value) != "" {
					answers = append(answers, Answer{flowID, field, value})
				}
			}
		}
	}
	return answers
}

// Files lists the files of FileData and EnhancedFileData by flow id, then
// field id, then as listed there. Each key comes once.
func (p Profile) Files() []FileRef {
	var files []FileRef
	seen := make(map[string]bool)
	for _, flowID := range sortedKeys(p.FlowData) {
		flow := p.FlowData[flowID]
		for _, fieldID := range fileFields(flow) {
			for _, key := range append([]string{flow.FileData[fieldID]}, flow.EnhancedFileData[fieldID]...) {
				if key != "" && !seen[key] {
					seen[key] = true
					files = append(files, FileRef{flowID, fieldID, key})
				}
			}
		}
	}
	return files
}

// Services lists the results of all checks by timestamp, then flow id, then as
// listed in the flow. Each has its FlowID.
func (p Profile) Services() []ServiceResult {
	var services []ServiceResult
	for _, flowID := range sortedKeys(p.FlowData) {
		for _, service := range p.FlowData[flowID].ServiceData {
			service.FlowID = flowID
			services = append(services, service)
		}
	}
	slices.SortStableFunc(services, func(a, b ServiceResult) int {
		return a.Timestamp.Compare(b.Timestamp.Time)
	})
	return services
}

// fileFields lists the ids of the fields with files.
func fileFields(flow Flow) []string {
	ids := append(sortedKeys(flow.FileData), sortedKeys(flow.EnhancedFileData)...)
	slices.Sort(ids)
	return slices.Compact(ids)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

package trulioo_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

func TestDetailsByValue(t *testing.T) {
	t.Parallel()
	services := decodeProfile(t, testdata(t, "profile.json")).Services()
	require.Len(t, services, 1)
	details, err := services[0].Details()
	require.NoError(t, err)
	assert.JSONEq(t, string(services[0].FullServiceDetails), string(details.Raw))
	assert.True(t, details.Matched())
	assert.Equal(t, []trulioo.DatasourceError{{Datasource: "Credit Agency", Code: "1001", Message: "Missing required field: Gender"}},
		details.DatasourceErrors())

	watchlist := details.Record.DatasourceResults[1].AppendedFields
	require.Len(t, watchlist, 1)
	assert.Equal(t, "WatchlistHitDetails", watchlist[0].FieldName)
	assert.Contains(t, string(watchlist[0].JSON()), `{"WL_results":[{"score":0.97`)

	details.Raw, details.Record.DatasourceResults[1].AppendedFields = nil, nil
	assert.Equal(t, &trulioo.ServiceDetails{
		TransactionID:     "3f5b2c1e-0000-4000-8000-000000000002",
		UploadedDt:        trulioo.Time{Time: time.Date(2024, 6, 10, 9, 25, 0, 0, time.UTC)},
		CompletedDt:       trulioo.Time{Time: time.Date(2024, 6, 10, 9, 25, 1, 0, time.UTC)},
		CountryCode:       "CA",
		ProductName:       "Identity Verification",
		UserGUID:          "3f5b2c1e-0000-4000-8000-000000000009",
		AccountIdentifier: "Example_KYC",
		Errors:            []trulioo.ServiceError{},
		InputFields:       []trulioo.InputField{{FieldName: "FirstGivenName", Value: "Zoë"}, {FieldName: "FirstSurName", Value: "Quill-Canary"}},
		Record: trulioo.ServiceRecord{
			TransactionRecordID: "3f5b2c1e-0000-4000-8000-000000000003",
			RecordStatus:        trulioo.MatchStatusMatch,
			Errors:              []trulioo.ServiceError{},
			Rule:                trulioo.ServiceRule{RuleName: "1+1", Note: "First and last name match in one source"},
			SupplementaryRules:  []trulioo.ServiceRule{},
			DatasourceResults: []trulioo.DatasourceResult{{
				DatasourceName: "Credit Agency",
				DatasourceFields: []trulioo.DatasourceField{
					{FieldName: "FirstGivenName", Status: trulioo.MatchStatusMatch},
					{FieldName: "FirstSurName", Status: trulioo.MatchStatusNoMatch},
					{FieldName: "Gender", Status: trulioo.MatchStatusMissing},
				},
				AppendedFields: []trulioo.AppendedField{},
				Errors:         []trulioo.ServiceError{{Code: "1001", Message: "Missing required field: Gender"}},
				FieldGroups:    []string{},
			}, {
				DatasourceName:   "Advanced Watchlist",
				DatasourceFields: []trulioo.DatasourceField{},
				Errors:           []trulioo.ServiceError{},
				FieldGroups:      []string{},
			}},
		},
	}, details)
}

func TestDetailsHoweverPacked(t *testing.T) {
	t.Parallel()
	const record = `{"TransactionID":"t","Errors":[{"Code":1.5,"Message":"whole"}],"Record":{"RecordStatus":"NoMatch","SupplementaryRules":[{"RuleName":"s"}],` +
		`"Errors":[{"Code":"77"},{}],"DatasourceResults":[{"DatasourceName":"d","Errors":[{"Code":3001,"Message":"m"}],"FieldGroups":["g",{"a": 1},7]}]}}`
	once, err := json.Marshal(record)
	require.NoError(t, err)
	twice, err := json.Marshal(string(once))
	require.NoError(t, err)
	inner := `{"TransactionID":"t","Errors":{"Code":1.5,"Message":"whole"},"Record":"{\"RecordStatus\":\"nomatch\",\"SupplementaryRules\":[{\"RuleName\":\"s\"}],` +
		`\"Errors\":[{\"Code\":77}],\"DatasourceResults\":{\"DatasourceName\":\"d\",\"Errors\":[{\"Code\":3001,\"Message\":\"m\"}],\"FieldGroups\":[\"g\",{\"a\": 1},7]}}"}`
	for name, in := range map[string]string{"object": record, "string": string(once), "string, twice": string(twice), "record in a string": inner} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			details, err := trulioo.ServiceResult{FullServiceDetails: json.RawMessage(in)}.Details()
			require.NoError(t, err)
			assert.Equal(t, "t", details.TransactionID)
			assert.False(t, details.Matched())
			assert.Equal(t, trulioo.MatchStatusNoMatch, details.Record.RecordStatus)
			assert.Equal(t, []trulioo.ServiceRule{{RuleName: "s"}}, details.Record.SupplementaryRules)
			assert.Equal(t, []trulioo.DatasourceError{{"d", "3001", "m"}, {"", "77", ""}, {"", "1.5", "whole"}}, details.DatasourceErrors())
			require.Len(t, details.Record.DatasourceResults, 1)
			assert.Equal(t, []string{"g", "", "7"}, details.Record.DatasourceResults[0].FieldGroups)
			assert.Equal(t, byte('{'), details.Raw[0])
		})
	}
}

func TestNoDetails(t *testing.T) {
	t.Parallel()
	for _, in := range []string{``, `null`, ` null `, `{}`, `{ }`, `[]`, `""`, `"null"`, `"{}"`} {
		details, err := trulioo.ServiceResult{FullServiceDetails: json.RawMessage(in)}.Details()
		require.ErrorIs(t, err, trulioo.ErrNoDetails, in)
		assert.Nil(t, details)
	}
	for _, in := range []string{`5`, `[1]`, `"words"`, `{"a":`, `{`, `"a`} {
		_, err := trulioo.ServiceResult{FullServiceDetails: json.RawMessage(in)}.Details()
		require.ErrorAs(t, err, new(*trulioo.DecodeError), in)
	}
	services := decodeProfile(t, testdata(t, "vendor/client.json")).Services()
	require.Len(t, services, 2)
	_, err := services[0].Details()
	require.ErrorIs(t, err, trulioo.ErrNoDetails, "the vendor's sample has an empty object")
}

func TestAppendedField(t *testing.T) {
	t.Parallel()
	tests := []struct{ data, text, json string }{
		{`"words"`, "words", ""},
		{`"{\"a\":1}"`, `{"a":1}`, `{"a":1}`},
		{`{"a":1}`, "", `{"a":1}`},
		{` [1] `, "", `[1]`},
		{`"\"[1]\""`, `"[1]"`, `[1]`},
		{`12345678901234567890`, "12345678901234567890", ""},
		{`"42"`, "42", ""},
		{`true`, "true", ""},
		{`null`, "", ""},
		{``, "", ""},
		{`""`, "", ""},
	}
	for _, test := range tests {
		field := trulioo.AppendedField{Data: json.RawMessage(test.data)}
		assert.Equal(t, test.text, field.Text(), test.data)
		assert.Equal(t, test.json, string(field.JSON()), test.data)
	}
}

func TestServiceErrorInEveryForm(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]trulioo.ServiceError{
		`{"Code":"1001","Message":"m"}`: {Code: "1001", Message: "m"},
		`{"Code":1001,"Message":7}`:     {Code: "1001", Message: "7"},
		`{"Code":{"a":1}}`:              {},
		`"only words"`:                  {Message: "only words"},
		`5`:                             {Message: "5"},
		`null`:                          {},
		`[1]`:                           {},
	} {
		service := trulioo.ServiceResult{FullServiceDetails: json.RawMessage(`{"TransactionID":"t","Errors":[` + wire + `]}`)}
		details, err := service.Details()
		require.NoError(t, err, wire)
		assert.Equal(t, "t", details.TransactionID, wire)
		assert.Equal(t, []trulioo.ServiceError{want}, details.Errors, wire)
	}
}

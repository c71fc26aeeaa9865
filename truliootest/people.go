package truliootest

import (
	"fmt"
	"slices"
	"strings"
)

// entered is one answer of a form. Most fields have a role, some a normalized name, and
// some only a name.
type entered struct{ role, normalized, name, value string }

var (
	firstNames = []string{"Aisha", "Björn", "Chloé", "Dmitri", "Elena", "Femi", "Grace", "Hiroshi", "Inés", "José", "Keiko", "Liam", "Mária", "Noor", "O'Neil", "Wei"}
	lastNames  = []string{"Almeida", "Brown", "Chen", "Dubois", "Eriksson", "Fernández", "Garcia", "Haddad", "Ivanova", "Jones", "Kowalski", "Łukasik", "Müller", "Nakamura", "Okafor", "Smith-Jones"}
	places     = []struct{ country, state, city, postalCode string }{
		{"CA", "BC", "Vancouver", "V6B 1A1"},
		{"GB", "", "London", "SW1A 1AA"},
		{"US", "IL", "Springfield", "62704"},
		{"DE", "", "Köln", "50667"},
		{"FR", "", "Orléans", "45000"},
		{"JP", "", "Osaka", "530-0001"},
	}
	companyWords = []string{"Northwind", "Blue Harbour", "Acme", "Rainier", "Æther", "Quill & Co"}
	occupations  = []string{"Baker", "Engineer", "Nurse", "Teacher"}
	companyForms = []string{"Ltd", "GmbH", "Inc.", "SARL"}
)

// answers are the answers of client i in workflow k, its n-th. In the second workflow a
// quarter of all clients spell the name in another way.
func (a *Account) answers(i, n, k int) []entered {
	if a.business(i) {
		return a.companyAnswers(i, n)
	}
	rng := newRand(a.hash(i, 15), 0)
	first, last, place := choose(rng, firstNames), choose(rng, lastNames), choose(rng, places)
	if other := rng.IntN(4) == 0; other && n > 0 { // drawn for both, so that nothing else differs
		last += "a"
	}
	born := fmt.Sprintf("%04d-%02d-%02d", 1940+rng.IntN(65), 1+rng.IntN(12), 1+rng.IntN(28))
	common := []entered{
		{role: "first_name", name: "First name", value: first},
		{role: "last_name", name: "Last name", value: last},
		{role: "dob", name: "Date of birth", value: born},
		{role: "external_customer_id", name: "Client Reference ", value: fmt.Sprintf("C-%06d", i)},
		{role: "address_country", name: "Country of residence", value: place.country},
		{role: "address_1", name: "Full address", value: fmt.Sprintf("%d Example Street", 1+rng.IntN(200))},
	}
	national := fmt.Sprintf("000-%02d-%04d", rng.IntN(100), rng.IntN(10000))
	phone, middle, occupation := fmt.Sprintf("+1 555 01%02d", rng.IntN(100)), choose(rng, firstNames), choose(rng, occupations)
	own := []entered{
		{role: "address_city", name: "City", value: place.city},
		{role: "address_state", name: "State/Province/District", value: place.state},
		{role: "address_zip", name: "ZIP or Postal Code", value: place.postalCode},
		{role: "social_service_number", name: "Social service number", value: national},
		{name: "Middle Name", normalized: "MiddleName", value: middle},
		{name: "Occupation", value: occupation},
	}
	if k%4 == 2 { // a form that integrations have seen
		own = []entered{
			{role: "city", name: "City", value: place.city},
			{role: "postal_code", name: "Postal code", value: place.postalCode},
			{role: "full_name", name: "Full name", value: first + " " + last},
			{role: "national_id_nr", name: "National id", value: national},
		}
	}
	contact := []entered{
		{role: "email", name: "Email", value: fmt.Sprintf("person%d@example.com", i)},
		{role: "phone", name: "Phone", value: phone},
	}
	return slices.Concat(common, own, contact)
}

func (a *Account) companyAnswers(i, n int) []entered {
	rng := newRand(a.hash(i, 15), 0)
	place := choose(rng, places)
	name := choose(rng, companyWords) + " " + choose(rng, companyForms)
	if other := rng.IntN(4) == 0; other && n > 0 {
		name = strings.ToUpper(name)
	}
	street := fmt.Sprintf("%d Example Road", 1+rng.IntN(200))
	return []entered{
		{role: "company_name", name: "Company name", value: name},
		{role: "company_nr", name: "Company number", value: fmt.Sprintf("%08d", rng.IntN(1e8))},
		{role: "company_email", name: "Company email", value: fmt.Sprintf("company%d@example.com", i)},
		{role: "company_vat", name: "VAT number", value: fmt.Sprintf("%s%09d", place.country, rng.IntN(1e9))},
		{role: "company_country_incorporation", name: "Country of incorporation", value: place.country},
		{role: "company_state", name: "State", value: place.state},
		{role: "company_city", name: "City", value: place.city},
		{role: "company_zip", name: "Postal code", value: place.postalCode},
		{role: "company_address_full", name: "Address", value: street + ", " + place.postalCode + " " + place.city},
		{role: "external_customer_id", name: "Client Reference ", value: fmt.Sprintf("B-%06d", i)},
	}
}

// Makes tests/template/golden/golden.json: what Go's text/template prints, or complains of, for each case
// (go run make_golden.go > golden.json). Integers of the data are ints, everything else is what encoding/json makes of it.
package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

const data = `{
 "Name": "example.com/app", "Empty": "", "Count": 3, "Zero": 0, "Big": 1234567, "Ratio": 0.25, "Huge": 1e+30, "Tiny": 0.00001,
 "Yes": true, "No": false, "Null": null,
 "Labels": {"b": "two", "a": "one", "with.dot": "x", "html": "<b>&\"'"},
 "Layers": ["sha256:aa", "sha256:bb", "sha256:cc"], "None": [], "Mixed": [1, "two", null, true, 2.5, ["in"], {"k": 1}],
 "Deep": {"A": {"B": {"C": "bottom"}}}, "Text": "héllo wörld", "Lines": "one\ntwo", "Mounts": [{"Src": "/a", "Dst": "/b"}, {"Src": "/c", "Dst": "/d"}]
}`

var templates = []string{
	// fields, printing
	"plain", "", "{{.Name}}", "{{ .Name }}", "{{.Count}} {{.Big}} {{.Ratio}} {{.Huge}} {{.Tiny}}", "{{.Yes}}{{.No}}", "{{.Null}}", "{{.Missing}}", "{{.Missing.More}}",
	"{{.Labels}}", "{{.Layers}}", "{{.None}}", "{{.Mixed}}", "{{.Deep}}", "{{.Deep.A.B.C}}", "{{.Labels.a}}", "{{.Labels.zz}}", "{{.Mounts}}", "{{.}}",
	"{{.Name.Foo}}", "{{.Count.Foo}}", "{{.Layers.Foo}}", "{{.Null.Foo}}", "{{.Labels.a.b}}", "a\nb {{.Name.Foo}}", "{{(index .Mounts 0).Src}}", "{{(index .Mounts 0).Src.X}}",
	"{{.Name 1}}", "{{.Labels.a 1}}", "{{1 | .Name}}",
	// literals
	`{{"a\tb"}}`, "{{`raw\\n`}}", "{{1}} {{-1}} {{0x1F}} {{017}} {{0b101}} {{1_000}} {{1.5}} {{1e3}} {{'a'}} {{'\\n'}}", "{{true}} {{false}}", "{{nil}}", "{{.}}{{1 2}}", `{{"a" 1}}`, "{{1.}}", "{{.5}}", "{{1e400}}", "{{99999999999999999999}}",
	// pipelines
	`{{.Name | len}}`, `{{.Name | printf "%s-%d" "x" }}`, `{{"x" | printf "%s"}}`, `{{.Labels.a | upper | lower | title}}`, `{{.Name | 1}}`, `{{.Name | .Foo}}`, `{{(.Name)}}`, `{{(.Labels).a}}`, `{{((1))}}`, `{{. | len}}`,
	// variables
	`{{$x := 1}}{{$x}}`, `{{$x := 1}}{{$x = 2}}{{$x}}`, `{{$x := .Labels}}{{$x.a}}`, `{{$}}`, `{{$.Name}}`, `{{range .Layers}}{{$.Name}},{{end}}`, `{{if $x := .Name}}{{$x}}{{end}}`, `{{with $x := .Name}}{{$x}}{{.}}{{end}}`, `{{$x}}`, `{{if true}}{{$x := 1}}{{end}}{{$x}}`, `{{$x := 1}}{{if true}}{{$x = 5}}{{end}}{{$x}}`, `{{$x = 1}}`, `{{$x, $y := 1}}`, `{{range $i, $e := .Layers}}{{$i}}={{$e}} {{end}}`, `{{range $e := .Layers}}{{$e}} {{end}}`, `{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}`, `{{range $i, $e, $f := .Layers}}{{end}}`, `{{$i := 7}}{{range $i = .Layers}}{{$i}}{{end}}{{$i}}`, `{{$i := 7}}{{$e := 8}}{{range $i, $e = .Layers}}{{$i}}{{$e}}{{end}}{{$i}}{{$e}}`,
	// control
	`{{if .Yes}}y{{else}}n{{end}}`, `{{if .No}}y{{else}}n{{end}}`, `{{if .Null}}y{{else}}n{{end}}`, `{{if .Missing}}y{{else}}n{{end}}`, `{{if .None}}y{{else}}n{{end}}`, `{{if .Zero}}y{{else}}n{{end}}`, `{{if .Empty}}y{{else}}n{{end}}`, `{{if .Ratio}}y{{else}}n{{end}}`, `{{if .Labels}}y{{end}}`,
	`{{if .No}}1{{else if .Yes}}2{{else}}3{{end}}`, `{{if .No}}1{{else if .No}}2{{else}}3{{end}}`, `{{with .Labels}}{{.a}}{{end}}`, `{{with .Missing}}x{{else}}none{{end}}`, `{{with .No}}1{{else with .Name}}{{.}}{{end}}`,
	`{{range .Layers}}{{.}},{{end}}`, `{{range .None}}x{{else}}empty{{end}}`, `{{range .Missing}}x{{else}}empty{{end}}`, `{{range .Null}}x{{else}}empty{{end}}`, `{{range .Labels}}{{.}} {{end}}`, `{{range .Mounts}}{{.Src}}:{{.Dst}} {{end}}`, `{{range 3}}{{.}}{{end}}`, `{{range $i := 2}}{{$i}}{{end}}`, `{{range $i, $j := 2}}{{end}}`, `{{range .Count}}{{.}}{{end}}`, `{{range .Name}}{{end}}`, `{{range .Yes}}{{end}}`,
	`{{range .Layers}}{{if eq . "sha256:bb"}}{{break}}{{end}}{{.}}{{end}}`, `{{range .Layers}}{{if eq . "sha256:bb"}}{{continue}}{{end}}{{.}}{{end}}`, `{{break}}`, `{{continue}}`, `{{range .Layers}}{{range 2}}{{break}}{{end}}x{{end}}`, `{{if true}}{{break}}{{end}}`,
	`{{range .Mixed}}<{{.}}>{{end}}`, `{{range .Mixed}}{{.foo}}{{end}}`, `{{range .Layers}}{{.foo}}{{end}}`,
	// trim, comments
	"a {{- .Name -}} b", "a  {{- /* c */ -}}  b", "{{/* c */}}x", "{{/* c }}", "{{/* c */ }}", "{{- .Count}}", "{{.Count -}} \n\t x", "{{-3}}", "{{- 3 -}}", "x {{- -3}}", "{{3 -}}\n", "{{ /* no */ }}",
	// define, template, block
	`{{define "T"}}<{{.}}>{{end}}{{template "T" .Name}}`, `{{define "T"}}x{{end}}{{template "T"}}`, `{{block "B" .Count}}[{{.}}]{{end}}`, `{{template "none"}}`, `{{define "T"}}{{template "T"}}{{end}}x`, `{{define "A"}}1{{end}}{{define "A"}}2{{end}}{{template "A"}}`, `{{define "A"}}{{$.Name}}{{end}}{{template "A" .}}`, `{{define A}}{{end}}`, `{{template 1}}`, `{{define "T"}}{{.Foo.Bar}}{{end}}{{template "T" .Count}}`,
	// builtins
	`{{eq .Count 3}} {{eq .Name "x" "example.com/app"}} {{eq .Count 1 2}} {{ne .Count 3}} {{lt .Count 4}} {{le .Count 3}} {{gt .Count 3}} {{ge .Count 3}}`, `{{eq .Name 1}}`, `{{eq .Name}}`, `{{eq .Null nil}}`, `{{eq .Missing .Null}}`, `{{eq nil nil}}`, `{{eq .Labels .Labels}}`, `{{lt .Name 1}}`, `{{lt .Labels 1}}`, `{{lt true false}}`, `{{lt "a" "b"}} {{lt 1.5 2.5}} {{lt 1 2.5}}`, `{{eq 1.0 1.0}}`, `{{ne .Name}}`, `{{eq .Yes true}}`,
	`{{and .Yes .Name}} {{and .No .Name}} {{or .No .Name}} {{or .Empty .No}} {{not .Yes}} {{not .Missing}}`, `{{and}}`, `{{or .Yes (index .Layers 99)}}`, `{{and 1 2 0 3}}`, `{{.Yes | and .Name}}`, `{{not}}`, `{{not 1 2}}`,
	`{{index .Layers 0}} {{index .Labels "a"}} {{index .Labels "with.dot"}} {{index .Mounts 1 "Src"}}`, `{{index .Layers 3}}`, `{{index .Layers 4}}`, `{{index .Layers -1}}`, `{{index .Layers "a"}}`, `{{index .Labels 1}}`, `{{index .Labels "zz"}}`, `{{index .Name 0}}`, `{{index nil 0}}`, `{{index .Null 0}}`, `{{index .Count 0}}`, `{{index .Labels nil}}`, `{{index .Layers nil}}`, `{{index .Layers}}`, `{{index .Mixed 5 0}}`, `{{index .Mixed 2}}`, `{{index .Mixed 2 1}}`,
	`{{slice .Layers 1}} {{slice .Layers 1 2}} {{slice .Layers}} {{slice .Name 0 7}} {{slice .Layers 0 1 2}}`, `{{slice .Layers 2 1}}`, `{{slice .Layers 9}}`, `{{slice .Name 1 2 3}}`, `{{slice .Count 1}}`, `{{slice .Layers 1 2 3 3}}`, `{{slice nil}}`, `{{slice .Layers "x"}}`,
	`{{len .Layers}} {{len .Name}} {{len .Labels}} {{len .None}}`, `{{len .Count}}`, `{{len nil}}`, `{{len .Null}}`, `{{len .Missing}}`, `{{len}}`, `{{len 1 2}}`, `{{len 3}}`,
	`{{print 1 2 "a" "b" 3}} {{print}} {{print .Labels .Layers}} {{print nil}} {{print .Missing}}`, `{{println 1 "a"}}`, `{{print true false}}`,
	`{{html "<a href=\"x\">'&"}} {{.Labels.html | html}} {{html 1 2}}`, `{{js "it's <b> = \"x\" \n"}}`, `{{urlquery "a b&c=d/é"}}`, `{{html .Layers}}`,
	`{{printf "%s %d %v %q %t %5d|%-5d|%05d %x %X %o %b %c %U" .Name 42 .Layers "q\"" true 7 7 7 255 255 8 5 65 65}}`, `{{printf "%.2f %8.3f %e %g %v" 3.14159 2.5 1234.5 0.5 1e21}}`, `{{printf "%5s|%-5s|%.2s|%05s" "ab" "ab" "abcd" "x"}}`, `{{printf "%d" "x"}}`, `{{printf "%s" 5}}`, `{{printf "%s"}}`, `{{printf "%s" 1 2}}`, `{{printf "%z" 1}}`, `{{printf "%" }}`, `{{printf "%d%%" 5}}`, `{{printf "%v %v" nil .Missing}}`, `{{printf "%s" nil}}`, `{{printf "%T %T %T %T" 1 "a" .Layers .Labels}}`, `{{printf "%*d" 5 42}}`, `{{printf "%+d % d %#x %#o" 5 5 255 8}}`, `{{printf "%x" "hi"}}`, `{{printf "%q" .Layers}}`, `{{printf "%s" .Layers}}`, `{{printf "%d" .Mixed}}`, `{{printf "%v" .Deep}}`, `{{printf .Count}}`, `{{printf 1}}`, `{{printf}}`, `{{printf "%t" 1}}`, `{{printf "%6.2f|%-8.1f|%08.3f" 3.14159 2.55 -1.5}}`, `{{printf "%q" 65}}`, `{{printf "%s" .Labels}}`, `{{printf "%v" true}}`, `{{printf "%d" true}}`, `{{printf "%10v|" .Name}}`, `{{printf "%3c|" 65}}`, `{{printf "%O" 8}}`, `{{printf "%#q" "a"}}`, `{{printf "%#v" "a"}}`, `{{printf "%.3d" 5}}`, `{{printf "%x" -255}}`, `{{printf "%5t|" true}}`, `{{printf "%f" 1}}`, `{{printf "%d" 1.5}}`,
	`{{call .Name}}`,
	// docker and podman
	`{{join (split "a,b,c" ",") "-"}}`, `{{split "abc" ""}}`, `{{json .Labels}} {{json .Layers}} {{json .Name}} {{json .Null}} {{json .Missing}} {{json .Ratio}} {{json .Huge}} {{json .Tiny}} {{json .Mixed}}`, `{{lower "ABC"}} {{upper "abc"}} {{title "hello wORLD-x"}}`, `{{pad "x" 1 2}}|{{pad "" 1 2}}|`, `{{truncate "hello" 3}} {{truncate "hi" 9}}`, `{{pad "x" -1 0}}`, `{{upper 1}}`, `{{upper .Count}}`, `{{upper nil}}`, `{{upper .Missing}}`, `{{upper}}`, `{{truncate "a" "b"}}`, `{{truncate "a" 1.5}}`, `{{pad "a" 1}}`, `{{join .Missing ","}}`, `{{json}}`, `{{truncate "hello" -1}}`,
	// errors of grammar
	"{{", "{{.Name", "{{.Name}", "{{}}", "{{ }}", "{{end}}", "{{else}}", "{{if}}x{{end}}", "{{if .Yes}}", "{{range .Layers}}x", "{{foo}}", "{{.Name | foo}}", "{{\"abc}}", "{{`abc}}", "{{'a}}", "{{'ab'}}", "{{(.Name}}", "{{.Name)}}", "{{.Name | }}", "{{| .Name}}", "{{.Name,}}", "{{1.2.3}}", "{{12abc}}", "{{.Na+me}}", "{{$x:=}}", "{{:}}", "{{a:b}}", "{{\x01}}", "{{.Name !}}", "{{if .Yes}}{{else}}{{else}}{{end}}", "{{with}}{{end}}", "{{template}}", "{{block}}", "{{define}}", "{{block \"a\"}}", "x\ny{{end}}", "{{if .Yes}}\n\n", "{{\n.Name\n", "{{.Name\n\"abc}}", "{{nil.Foo}}", "{{1.Foo}}", "{{true.Foo}}", "{{.Name |\n.Foo}}", "{{\"\\z\"}}", "{{range .Layers}}{{end", "{{range $x, 1 := .Layers}}{{end}}", "{{.Name == 1}}", "{{if .Yes}}{{define \"x\"}}{{end}}{{end}}", "{{ä}}", "{{0x}}", "{{1i}}", "{{()}}", "{{.Name.}}", "{{..}}", "{{$.}}", "{{.$x}}", "{{if .Yes}}x{{else if}}y{{end}}", "{{.Labels.with-dash}}", "{{break 1}}", "{{else}}{{end}}", "{{define \"x\"}}", "{{define \"x\"}}{{else}}{{end}}", "{{'\\x41'}}", "{{true false}}", "{{\"a\" | len | printf \"%d\"}}", "{{len(.Name)}}", "{{(len .Name)}}", "{{.Name}}{{/*", "{{ .Text | len }} {{ slice .Text 0 1 }} {{printf \"%.3s\" .Text}} {{printf \"%q\" .Text}} {{upper \"é\"|len}}", "{{json .Labels.html}}", "{{printf \"%q\" .Lines}}", "{{index .Labels \"html\" | js}}",
	"{{true | and}}", "{{or nil false}}", "{{index .Deep \"A\" \"B\"}}", "{{range .Deep}}{{.}}{{end}}", "{{.Deep.X.Y.Z}}", "{{range $k, $v := .Deep}}{{$k}}{{$v.B.C}}{{end}}", "{{len (slice .Layers 1)}}", "{{if and .Yes (eq .Count 3)}}ok{{end}}", "{{if or (eq .Count 9) (gt .Count 2)}}ok{{end}}", "{{with index .Mounts 1}}{{.Src}}{{end}}", "{{range .Mounts}}{{with .Src}}{{.}}{{end}}{{end}}",
}

func ints(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = ints(x[k])
		}
	case []any:
		for i := range x {
			x[i] = ints(x[i])
		}
	case json.Number:
		if i, err := x.Int64(); err == nil {
			return int(i)
		}
		f, _ := x.Float64()
		return f
	}
	return v
}

var funcs = template.FuncMap{
	"join":  strings.Join,
	"split": strings.Split, "lower": strings.ToLower, "upper": strings.ToUpper, "title": strings.Title,
	"json": func(v any) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.Encode(v)
		return strings.TrimSpace(b.String())
	},
	"pad": func(s string, before, after int) string {
		if s == "" {
			return s
		}
		return strings.Repeat(" ", before) + s + strings.Repeat(" ", after)
	},
	"truncate": func(s string, n int) string {
		if len(s) < n {
			return s
		}
		return s[:n]
	},
}

type result struct {
	Template string `json:"template"`
	Output   string `json:"output"`
	Error    string `json:"error"`
}

func main() {
	d := json.NewDecoder(strings.NewReader(data))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		panic(err)
	}
	value = ints(value)
	var results []result
	for _, text := range templates {
		r := result{Template: text}
		t, err := template.New("case").Funcs(funcs).Parse(text)
		var out bytes.Buffer
		if err == nil {
			err = t.Execute(&out, value)
		}
		r.Output = out.String()
		if err != nil {
			r.Error = err.Error()
		}
		results = append(results, r)
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false)
	e.Encode(map[string]any{"data": value, "cases": results})
}

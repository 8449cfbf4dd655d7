#include "libimage/template/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libimage/base/error.h"

namespace lade::templates {
namespace {

using testing::HasSubstr;

Value record() {
  return Value::of(ValueRecord{
      .type = "inspect.Output",
      .fields = {{.name = "Name", .value = Value::of(std::string("x"))},
                 {.name = "Created", .value = Value::nil("*time.Time")},
                 {.name = "Layers", .value = Value::of(std::vector<std::string>{"a", "b"})},
                 {.name = "Labels", .value = Value::of(std::map<std::string, std::string>{})}}});
}

std::string made(const std::string& text, const Value& data, const Limits& limits = {}) {
  std::string out;
  Template::parse("skopeo inspect", text).execute(data, out, limits);
  return out;
}

std::string failure(const std::string& text, const Value& data, const Limits& limits = {}) {
  try {
    return "no failure: " + made(text, data, limits);
  } catch (const Error& e) {
    return e.what();
  }
}

TEST(Template, RecordsRefuseFieldsThatTheyLack) {
  EXPECT_EQ(failure("{{.Foo}}", record()),
            "template: skopeo inspect:1:2: executing \"skopeo inspect\" at <.Foo>: can't evaluate "
            "field Foo in type inspect.Output");
}

TEST(Template, PointersThatAreNilPrintAsNil) {
  EXPECT_EQ(made("{{.Created}} {{if .Created}}y{{else}}n{{end}}", record()), "<nil> n");
}

TEST(Template, ListsOfStringsJoin) {
  EXPECT_EQ(made("{{join .Layers \"+\"}} {{index .Labels \"x\"}}|{{.Labels.x}}", record()),
            "a+b |<no value>");
}

TEST(Template, WhatWasMadeBeforeAFailureStays) {
  std::string out = "before ";
  EXPECT_THROW(Template::parse("t", "{{.Name}} {{.Foo}}").execute(record(), out), Error);
  EXPECT_EQ(out, "before x ");
}

TEST(Template, DefinitionsThatCallThemselvesEnd) {
  EXPECT_THAT(failure("{{define \"T\"}}{{template \"T\" .}}{{end}}{{template \"T\" .}}", record()),
              HasSubstr("exceeded maximum template depth (100)"));
}

TEST(Template, LoopsAndOutputsAreBounded) {
  EXPECT_THAT(
      failure("{{range 1000000}}{{range 1000000}}{{end}}{{end}}", record(), {.max_steps = 10'000}),
      HasSubstr("too many steps"));
  EXPECT_THAT(failure("{{range 1000}}0123456789{{end}}", record(), {.max_output = 100}),
              HasSubstr("bytes of output"));
  EXPECT_THAT(failure("{{pad \"x\" 1000 1000}}", record(), {.max_output = 100}),
              HasSubstr("too long"));
  EXPECT_THAT(failure("{{printf \"%1000000d\" 1}}", record(), {.max_output = 100}),
              HasSubstr("too long"));
}

TEST(Template, DeepNestingIsRefused) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "{{if true}}";
  EXPECT_THAT(failure(text, record()), HasSubstr("nested too deeply"));
  EXPECT_THAT(failure("{{" + std::string(1000, '(') + "1", record()),
              HasSubstr("nested too deeply"));
  EXPECT_THAT(failure(std::string(std::size_t{300} * 1024, 'x'), record()),
              HasSubstr("the limit is"));
}

}  // namespace
}  // namespace lade::templates

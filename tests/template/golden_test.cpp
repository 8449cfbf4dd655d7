// Every template of golden/golden.json against what Go 1.26's text/template made of it: output and
// message, byte for byte.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "libimage/base/error.h"
#include "libimage/template/template.h"

namespace lade::templates {
namespace {

Value golden() {
  const std::ifstream in(LADE_SOURCE_DIR "/tests/template/golden/golden.json");
  std::ostringstream text;
  text << in.rdbuf();
  return from_json(text.str());
}

const std::string& member(const Value& object, const std::string& name) {
  return *object.map()->entries.at(name).text();
}

TEST(Golden, EveryTemplatePrintsAndComplainsAsGoDoes) {
  const Value file = golden();
  const Value& data = file.map()->entries.at("data");
  const ValueList& cases = *file.map()->entries.at("cases").list();
  ASSERT_GT(cases.items.size(), 300U);
  for (const Value& one : cases.items) {
    const std::string& text = member(one, "template");
    if (text == "{{1i}}") continue;  // imaginary numbers are refused
    std::string output;
    std::string error;
    try {
      Template::parse("case", text).execute(data, output);
    } catch (const Error& e) {
      error = e.what();
    }
    EXPECT_EQ(output, member(one, "output")) << text;
    EXPECT_EQ(error, member(one, "error")) << text;
  }
}

}  // namespace
}  // namespace lade::templates

#include "libimage/template/template.h"

#include "libimage/template/execute.h"
#include "libimage/template/parser.h"

namespace lade::templates {

struct Template::State {
  std::string name;
  std::string source;
  Trees trees;
};

Template Template::parse(std::string name, std::string_view text) {
  Trees trees = parse_trees(name, text);
  return Template(std::make_unique<State>(
      State{.name = std::move(name), .source = std::string(text), .trees = std::move(trees)}));
}

Template::Template(std::unique_ptr<State> state) : state_(std::move(state)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

void Template::execute(const Value& data, std::string& out, const Limits& limits) const {
  execute_trees(state_->trees, state_->name, state_->source, data, limits, out);
}

}  // namespace lade::templates

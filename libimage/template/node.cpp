#include "libimage/template/node.h"

#include "libimage/base/text.h"
#include "libimage/template/go_text.h"

namespace lade::templates {
namespace {

std::string dotted(const std::vector<std::string>& names, std::size_t first) {
  std::string out;
  for (std::size_t i = first; i < names.size(); ++i) out += cat(".", names[i]);
  return out;
}

std::string parenthesised(const Node& node) {
  return node.is(Node::Kind::pipe) ? cat("(", node.str(), ")") : node.str();
}

std::string joined(const std::vector<NodePtr>& nodes, std::string_view separator) {
  std::string out;
  for (const NodePtr& node : nodes) {
    if (!out.empty()) out += separator;
    out += node->is(Node::Kind::pipe) ? parenthesised(*node) : node->str();
  }
  return out;
}

std::string pipe_text(const Node& pipe) {
  std::string out = joined(pipe.declarations, ", ");
  if (!out.empty()) out += pipe.assigns ? " = " : " := ";
  return out + joined(pipe.children, " | ");
}

std::string branch_text(std::string_view word, const Node& node) {
  std::string out = cat("{{", word, " ", node.pipe->str(), "}}", node.list->str());
  if (node.else_list) out += cat("{{else}}", node.else_list->str());
  return out + "{{end}}";
}

}  // namespace

std::string Node::str() const {
  switch (kind) {
    case Kind::action:
      return cat("{{", pipe->str(), "}}");
    case Kind::if_:
      return branch_text("if", *this);
    case Kind::range:
      return branch_text("range", *this);
    case Kind::with:
      return branch_text("with", *this);
    case Kind::template_:
      return cat("{{template ", go_quote(text), pipe ? cat(" ", pipe->str()) : "", "}}");
    case Kind::break_:
      return "{{break}}";
    case Kind::continue_:
      return "{{continue}}";
    case Kind::list:
      return joined(children, "");
    case Kind::pipe:
      return pipe_text(*this);
    case Kind::command:
      return joined(children, " ");
    case Kind::chain:
      return parenthesised(*children.front()) + dotted(names, 0);
    case Kind::field:
      return dotted(names, 0);
    case Kind::variable:
      return names.front() + dotted(names, 1);
    case Kind::dot:
      return ".";
    case Kind::nil:
      return "nil";
    case Kind::boolean:
      return constant.truth() ? "true" : "false";
    case Kind::else_:
      return "{{else}}";
    case Kind::end:
      return "{{end}}";
    default:
      return text;
  }
}

}  // namespace lade::templates

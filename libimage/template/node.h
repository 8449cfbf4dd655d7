/// The tree of a template. Internal to libimage/template.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "libimage/template/value.h"

namespace lade::templates {

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Node {
  enum class Kind {
    text,
    action,     ///< {{pipeline}}
    if_,        ///< pipe, list, else_list
    range,      ///< likewise
    with,       ///< likewise
    template_,  ///< name, pipe (may be null)
    break_,
    continue_,
    list,        ///< children
    pipe,        ///< declarations, then children: commands
    command,     ///< children: words
    chain,       ///< children[0], then names: (pipeline).A.B
    field,       ///< names: .A.B
    variable,    ///< names: $x.A.B
    identifier,  ///< name: a function
    dot,
    nil,
    boolean,  ///< constant
    number,   ///< constant, spelled `text`
    string,   ///< constant, spelled `text`
    else_,    ///< while parsing only
    end,      ///< while parsing only
  };
  Kind kind = Kind::list;
  std::size_t position = 0;
  std::string text = {};
  std::vector<std::string> names = {};
  std::vector<NodePtr> children = {};
  std::vector<NodePtr> declarations = {};
  bool assigns = false;  ///< pipe: = and not :=
  NodePtr pipe = {};
  NodePtr list = {};
  NodePtr else_list = {};
  Value constant = {};

  [[nodiscard]] bool is(Kind wanted) const noexcept { return kind == wanted; }
  /// As the template could spell it: what messages point at.
  [[nodiscard]] std::string str() const;
};

}  // namespace lade::templates

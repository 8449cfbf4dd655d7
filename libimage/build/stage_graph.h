#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libimage/build/containerfile.h"
#include "libimage/build/environment.h"
#include "libimage/name/platform.h"

namespace lade::build {

/// Where a FROM or --from leads.
struct TreeRef {
  enum class Kind {
    scratch,
    stage,
    image,
    context,  ///< a named one that has files
  } kind = Kind::scratch;
  std::size_t index = 0;  ///< of `stages` or of `images`
  bool operator==(const TreeRef&) const = default;
};

/// An image that some stage reads, for one platform: found once for the build.
struct ImageRef {
  std::string name = {};
  oci::Platform platform = {};
  LineRange lines = {};  ///< where it is named first
};

/// One of the platforms that the build is for.
struct BuildTarget {
  oci::Platform platform = {};
  /// Platform arguments and ARGs before the first FROM, with the values of --build-arg.
  Environment globals = {};
};

/// A stage that a target needs. Targets share it where nothing in it depends on theirs.
struct GraphStage {
  std::size_t index = 0;   ///< in the Containerfile
  std::size_t target = 0;  ///< the first that needs it: of BuildRun::targets()
  bool shared = false;     ///< other targets need it too
  TreeRef base = {};
  std::string base_context = {};  ///< the name of a base that is a context
  oci::Platform platform = {};
  std::map<std::string, TreeRef> from = {};  ///< by the text of --from
  std::set<std::string> declares = {};       ///< TriggerFacts::declares
};

/// What ONBUILD triggers of a base image need to know before: known only when the base is.
struct TriggerFacts {
  std::set<std::string> from = {};      ///< what they name with --from
  std::set<std::string> declares = {};  ///< arguments of theirs that differ between the platforms
};
/// By the stage's index in the file.
using TriggerSources = std::map<std::size_t, TriggerFacts>;

struct StageGraph {
  std::vector<GraphStage> stages = {};    ///< each after all that it needs
  std::vector<std::size_t> targets = {};  ///< for each platform its last stage, of `stages`
  std::vector<ImageRef> images = {};
};

/// The stages that stage `target` ("": the last; a name or a number) needs, for all platforms in
/// one graph. Names of `contexts` (--build-context) go before stage names, and these before image
/// names; only earlier stages can be named. Throws with place and excerpt: an unknown target, a
/// FROM that expands to nothing, a --from that names its own or a later stage.
StageGraph stage_graph(const Containerfile& file, const std::string& target,
                       const std::vector<BuildTarget>& targets,
                       const std::map<std::string, std::string>& contexts = {},
                       const TriggerSources& triggers = {});

/// "builder", or the stage's number.
std::string stage_label(const Containerfile& file, std::size_t index);

}  // namespace lade::build

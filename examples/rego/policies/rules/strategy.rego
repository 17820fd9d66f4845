# How hosts are fixed.
package switchback.strategy

default use := null

use := {"use": "in_place", "reason": "its state lives on it"} if input.asset.labels.stateful == "true"

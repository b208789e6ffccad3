"""Colours and the style sheet of the report: one colour a network, in light and in dark."""

# kind: (light, dark, marker). Hues after Okabe and Ito's colour-blind safe palette, darkened for
# lines on white; markers differ too, so that no figure needs colour alone.
NETWORKS = {
    "A": ("#0067a5", "#5cb3f0", "o"),
    "vgg": ("#c8500a", "#f28b4b", "s"),
    "B": ("#a8478a", "#dd8fc4", "D"),
    "finetune": ("#00805c", "#3fc498", "^"),
    "multitask": ("#9a7400", "#e0b83f", "v"),
    "linear": ("#5f6672", "#a3abb8", "X"),
    "dae": ("#5a52b5", "#a49df0", "P"),
}
SPARE = (
    ("#0e7c86", "#56c5cf", "p"),
    ("#8c5a2b", "#cf9f72", "h"),
    ("#4b7a1f", "#97c667", "*"),
    ("#b0344d", "#f08299", "<"),
)

INK, MUTED, GRID, ON_NETWORK = "#1d2126", "#666c75", "#dcdfe3", "#1d2127"

_DARK = {INK: "#e7e9ec", MUTED: "#a2a9b3", GRID: "#343a42", ON_NETWORK: "#0f1215"}
_NAMES = {INK: "ink", MUTED: "muted", GRID: "grid", ON_NETWORK: "on-network"}


def look(kind: str, order: int = 0) -> tuple[str, str]:
    """Return the (light colour, marker) of a network; unknown kinds take spare ones by `order`."""
    light, _, marker = NETWORKS.get(kind, SPARE[order % len(SPARE)])
    return light, marker


def variables() -> dict[str, str]:
    """Map every colour that the figures are drawn with to the name of its CSS variable."""
    networks = {light: f"net-{light[1:]}" for light, _, _ in (*NETWORKS.values(), *SPARE)}
    return _NAMES | networks


def style_sheet() -> str:
    """Return the report's CSS."""
    dark_of = _DARK | {light: dark for light, dark, _ in (*NETWORKS.values(), *SPARE)}
    light = "".join(f"--{name}:{colour};" for colour, name in variables().items())
    dark = "".join(f"--{name}:{dark_of[colour]};" for colour, name in variables().items())
    return _SHEET.replace("/*light*/", light).replace("/*dark*/", dark)


_SHEET = """
:root{color-scheme:light dark;/*light*/--page:#fff;--panel:#f6f6f4;--warn:#8a3b00;
--warn-panel:#fdf1e3;--warn-line:#e8b67a;
--sans:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif;
--serif:Charter,"Bitstream Charter","Iowan Old Style",Georgia,"DejaVu Serif",serif}
@media screen and (prefers-color-scheme:dark){:root{/*dark*/--page:#14171a;--panel:#1c2024;
--warn:#f5c48a;--warn-panel:#2e2214;--warn-line:#7d5a2c}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.55 var(--sans)}
main,header,footer{max-width:62rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem}
h1,h2,.headline{font-family:var(--serif);font-weight:600;line-height:1.2;text-wrap:balance}
h1{font-size:1.15rem;margin:0;color:var(--muted);overflow-wrap:anywhere}
h2{font-size:1.5rem;margin:3.25rem 0 .5rem;padding-top:1.1rem;border-top:1px solid var(--grid)}
h3{font-size:1rem;margin:1.75rem 0 .4rem}
p{max-width:44rem;margin:.5rem 0}
a{color:inherit}
.headline{font-size:clamp(1.3rem,.95rem + 1.7vw,1.9rem);max-width:none;margin:.6rem 0 1.4rem}
.muted,figcaption,.notes{color:var(--muted)}
.banner,.alarms{background:var(--warn-panel);border:1px solid var(--warn-line);color:var(--warn);
border-radius:6px;padding:.65rem 1rem;margin:1rem 0}
.banner strong{letter-spacing:.06em}
.alarms h2{border:0;padding:0;margin:0 0 .3rem;font-size:1.15rem}
.alarms ul,.plain{margin:.2rem 0;padding-left:1.2rem}
.alarms li{overflow-wrap:anywhere}
.heroes{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:1rem;
margin:0 0 1.6rem}
.hero{border-top:4px solid var(--net);background:var(--panel);padding:.8rem 1rem;
border-radius:0 0 6px 6px;max-width:32rem}
.hero h3{margin:0;font-size:.95rem}
.hero .big{font:600 2.3rem/1.15 var(--serif);margin:.15rem 0;font-variant-numeric:tabular-nums}
.hero p{margin:0;font-size:.86rem}
.syn{font:400 .72rem/1 var(--sans);color:var(--warn);white-space:nowrap;letter-spacing:.02em}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(45%,13rem),1fr));
gap:.7rem 1.5rem;margin:1rem 0}
dt{font-size:.78rem;color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:0 0 .3rem}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums;
min-width:min(100%,34rem)}
caption{text-align:left;font-weight:600;padding:0 0 .35rem}
th,td{padding:.38rem .7rem;text-align:right;vertical-align:baseline;
border-bottom:1px solid var(--grid)}
td{white-space:nowrap}
thead th{font-weight:500;font-size:.8rem;color:var(--muted);vertical-align:bottom;line-height:1.3;
border-bottom:1px solid var(--muted)}
th:first-child,td:first-child{text-align:left;padding-left:0}
tbody th{font-weight:500;white-space:nowrap}
.notes{font-size:.84rem;margin:.2rem 0 0}
.collapsed{color:var(--warn);font-size:.8rem;border:1px solid var(--warn-line);border-radius:3px;
padding:0 .3em}
.tables{display:grid;grid-template-columns:minmax(0,1fr);gap:2rem;margin-top:1.2rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,18.5rem),1fr));
gap:1rem 2rem}
figure{margin:1rem 0;min-width:0}
figure svg{display:block;width:100%;height:auto}
figure.wide{max-width:40rem}
figure.full{overflow-x:auto}figure.full svg{min-width:40rem}
figure.panel{max-width:29rem}
figcaption{font-size:.84rem;margin-top:.35rem;max-width:44rem}
.strips{display:grid;grid-template-columns:minmax(5rem,8rem) minmax(0,44rem);gap:.3rem .8rem;
align-items:center}
.strips img{display:block;width:100%;image-rendering:pixelated;border-radius:2px}
.strips span{font-size:.84rem;line-height:1.25}
.strips ol{display:flex;list-style:none;margin:0;padding:0;font-size:.76rem;color:var(--muted)}
.strips li{flex:1;text-align:center;overflow:hidden}
details{margin:.8rem 0}
summary{cursor:pointer;color:var(--muted)}
pre{background:var(--panel);padding:.8rem 1rem;border-radius:6px;overflow-x:auto;font-size:.84rem;
white-space:pre-wrap;overflow-wrap:anywhere}
footer{padding:2rem 1.25rem 3rem;color:var(--muted);font-size:.84rem}
@media (max-width:40rem){main,header{padding-left:1rem;padding-right:1rem}
header{padding-top:1.5rem}
table{font-size:.76rem;min-width:100%}th,td{padding:.35rem .2rem}thead th{font-size:.66rem}
th:last-child,td:last-child{padding-right:0}
.strips{grid-template-columns:1fr;gap:.15rem}.strips span{margin-top:.4rem}
.strips ol{font-size:.6rem}
tbody th{white-space:normal}
td .collapsed,td .syn{display:block;width:max-content;margin-left:auto;font-size:.66rem}}
@media print{body{font-size:10.5pt}main,header,footer{max-width:none;padding:0}
h2,h3{break-after:avoid}
figure,table,.hero,.alarms{break-inside:avoid}.pair{grid-template-columns:1fr 1fr}
.scroll{overflow:visible}summary{display:none}th,td{padding:.25rem .4rem}}
"""

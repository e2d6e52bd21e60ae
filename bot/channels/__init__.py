"""What the messaging surfaces share: Slack, WeChat 公众号, WeCom applications and bots."""
